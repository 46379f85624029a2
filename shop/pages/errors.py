"""Pages for when something went wrong. They ask nothing of the database, so that they also stand when it is
down."""

import sys

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render

from shop import outage


def bad_request(request: HttpRequest, exception: Exception | None = None) -> HttpResponse:  # noqa: ARG001
    return render(request, "shop/errors/400.html", status=400)


def forbidden(request: HttpRequest, exception: Exception | None = None) -> HttpResponse:  # noqa: ARG001
    return render(request, "shop/errors/403.html", status=403)


def not_found(request: HttpRequest, exception: Exception | None = None) -> HttpResponse:  # noqa: ARG001
    return render(request, "shop/errors/404.html", status=404)


def server_error(request: HttpRequest) -> HttpResponse:
    """Django calls this while it handles the error. A database that went away outside of a view, when a session was to
    be written, is no mistake of ours."""
    error = sys.exc_info()[1]
    if error is not None and outage.is_outage(error):
        return outage.unavailable(request, error)
    return render(request, "shop/errors/500.html", status=500)
