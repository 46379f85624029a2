"""A second try for pages whose database connection died under them; nobody notices a restart of the database."""

from collections.abc import Callable
from functools import wraps
from typing import Any

from django.db import InterfaceError, OperationalError
from django.http import HttpRequest, HttpResponse

from orders.database import died

View = Callable[..., HttpResponse]


def open_while_possible(view: View) -> View:
    """Run the view once more when its kept connection turns out to be dead; what fails then is shop.outage's.

    Every page of the shop may be run twice: an order has its key, a cart that was not committed is as it was,
    cancelling what is cancelled changes nothing.
    """

    @wraps(view)
    def guarded(request: HttpRequest, *arguments: Any, **named: Any) -> HttpResponse:
        try:
            return view(request, *arguments, **named)
        except (OperationalError, InterfaceError) as error:
            if not died(error):
                raise
            return view(request, *arguments, **named)

    return guarded
