"""Pages for when something went wrong. They ask nothing of the database, so that they also stand when it is
down."""

import logging

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render

RETRY_AFTER = 5  # seconds
_log = logging.getLogger(__name__)


def bad_request(request: HttpRequest, exception: Exception | None = None) -> HttpResponse:  # noqa: ARG001
    return render(request, "shop/errors/400.html", status=400)


def forbidden(request: HttpRequest, exception: Exception | None = None) -> HttpResponse:  # noqa: ARG001
    return render(request, "shop/errors/403.html", status=403)


def not_found(request: HttpRequest, exception: Exception | None = None) -> HttpResponse:  # noqa: ARG001
    return render(request, "shop/errors/404.html", status=404)


def server_error(request: HttpRequest) -> HttpResponse:
    return render(request, "shop/errors/500.html", status=500)


def unavailable(request: HttpRequest, reason: Exception) -> HttpResponse:
    """503: the database cannot be reached; `reason` goes to the log, the visitor is asked to come back
    soon."""
    _log.error("%s %s answered 503, the database is away: %s", request.method, request.path, reason)
    response = render(request, "shop/errors/503.html", {"retry_after": RETRY_AFTER}, status=503)
    response["Retry-After"] = str(RETRY_AFTER)
    return response
