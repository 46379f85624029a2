"""What the shop answers while its database is away: 503, and when to come back.

Nothing here asks the database. Programs get a problem, people a page, and htmx, which shows neither, a sentence. The
page looks whether the shop is back, and then loads what was asked for. A form that was sent can be sent again by a
button, with what was typed into it. The cart is in the database, and its cookie stays as it is.
"""

from collections.abc import Callable

from django.db import InterfaceError, OperationalError
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render

from shop.api import problems

RETRY_AFTER = 5  # seconds, for people; programs are told in shop.api.problems
FOR_PROGRAMS = ("/api/", "/webhooks/")
# Its forms hold passwords and decisions: they are not kept to be sent again.
_NOT_REPEATED = "/admin/"


class OutageMiddleware:
    """Turns a database that does not answer a view into 503, wherever in the shop that is."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self._get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        return self._get_response(request)

    def process_exception(self, request: HttpRequest, error: Exception) -> HttpResponse | None:
        return unavailable(request, error) if is_outage(error) else None


def is_outage(error: BaseException | None) -> bool:
    return isinstance(error, (OperationalError, InterfaceError))


def unavailable(request: HttpRequest, error: BaseException) -> HttpResponse:
    """503 for whoever asked; the reason goes to the log."""
    if request.path.startswith(FOR_PROGRAMS):
        return problems.unavailable(request, error)
    if "HX-Request" in request.headers:
        response = HttpResponse("The shop does not answer at the moment. Please try again.", status=503)
    else:
        response = render(request, "shop/errors/503.html", _page(request), status=503)
    response["Retry-After"] = str(RETRY_AFTER)
    response["Cache-Control"] = "no-store"
    problems.log_outage(request, response, error)
    return response


def _page(request: HttpRequest) -> dict[str, object]:
    repeatable = request.method == "POST" and not request.path.startswith(_NOT_REPEATED)
    sent = [(name, value) for name, values in request.POST.lists() for value in values] if repeatable else []
    return {"sent": sent, "is_order": request.path == "/checkout/"}
