"""Health checks of the web process: whether it lives, and whether it can serve.

A process that cannot serve because the database is away recovers by itself, and a restart would only make more work.
So whatever restarts dead processes asks /livez, and whatever sends visitors asks /healthz.
"""

from django.db import Error, connection
from django.http import HttpRequest, JsonResponse


def livez(_request: HttpRequest) -> JsonResponse:
    """200 {"ok": true} from a process that answers at all."""
    return JsonResponse({"ok": True})


def healthz(_request: HttpRequest) -> JsonResponse:
    """200 {"ok": true} from a process that can serve, or 503 when the database does not answer."""
    try:
        healthy = _database_answers()
        if not healthy:
            # The connection may have died with a database server that is back by now: ask on a new one.
            connection.close()
            healthy = _database_answers()
    except Error:
        healthy = False
    if healthy:
        return JsonResponse({"ok": True})
    return JsonResponse(
        {"ok": False, "reason": "The database does not answer."}, status=503, headers={"Retry-After": "5"}
    )


def _database_answers() -> bool:
    connection.ensure_connection()
    return connection.is_usable()
