"""Whether this web process can serve: it can when the database answers."""

from django.db import Error, connection
from django.http import HttpRequest, JsonResponse


def healthz(_request: HttpRequest) -> JsonResponse:
    """200 {"ok": true}, or 503 when the database does not answer."""
    try:
        healthy = _database_answers()
        if not healthy:
            # The kept connection may have died with a server that is long back: ask on a new one.
            connection.close()
            healthy = _database_answers()
    except Error:
        healthy = False
    if healthy:
        return JsonResponse({"ok": True})
    return JsonResponse({"ok": False, "reason": "The database does not answer."}, status=503)


def _database_answers() -> bool:
    connection.ensure_connection()
    return connection.is_usable()
