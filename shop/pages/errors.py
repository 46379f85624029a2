"""What is said when something went wrong outside of a view: a page to people, a problem to programs.

Nothing here asks the database, so that it also stands when that is down.
"""

import sys
from collections.abc import Callable
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render

from shop import outage
from shop.api import problems


def _page(status: int, to_programs: str) -> Callable[..., HttpResponse]:
    def page(request: HttpRequest, *_arguments: Any, **_named: Any) -> HttpResponse:
        if request.path.startswith(outage.FOR_PROGRAMS):
            return problems.response(request, status, to_programs)
        return render(request, f"shop/errors/{status}.html", status=status)

    return page


bad_request = _page(
    400, "The request was refused: its address, the header Host or another one is not as it should be."
)
forbidden = _page(403, "This is not allowed.")
not_found = _page(404, "There is nothing at this address.")
_broken = _page(500, problems.BROKEN)


def server_error(request: HttpRequest) -> HttpResponse:
    """Django calls this while it handles the error. A database that went away outside of a view, when a session was to
    be written, is no mistake of ours."""
    error = sys.exc_info()[1]
    if error is not None and outage.is_outage(error):
        return outage.unavailable(request, error)
    return _broken(request)
