"""Pages for when something went wrong. They ask nothing of the database, so that they also stand when it is down."""

import sys
from collections.abc import Callable
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render

from shop import outage


def _page(status: int) -> Callable[..., HttpResponse]:
    def page(request: HttpRequest, *_arguments: Any, **_named: Any) -> HttpResponse:
        return render(request, f"shop/errors/{status}.html", status=status)

    return page


bad_request, forbidden, not_found = _page(400), _page(403), _page(404)


def server_error(request: HttpRequest) -> HttpResponse:
    """Django calls this while it handles the error. A database that went away outside of a view, when a session was to
    be written, is no mistake of ours."""
    error = sys.exc_info()[1]
    if error is not None and outage.is_outage(error):
        return outage.unavailable(request, error)
    return render(request, "shop/errors/500.html", status=500)
