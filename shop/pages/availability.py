"""What a shopper sees while the database is away: a page that says so and when to come back, never a stack
trace."""

from collections.abc import Callable
from functools import wraps
from typing import Any

from django.db import InterfaceError, OperationalError, connection
from django.http import HttpRequest, HttpResponse

from shop.pages import errors

View = Callable[..., HttpResponse]


def open_while_possible(view: View) -> View:
    """Answer 503 with Retry-After when the database cannot be reached.

    A connection is kept as long as its thread, so after a restart of the database each thread holds a dead
    one: that is not the database being away, and the view is run once more on a new connection. Every page of
    the shop may be run twice: an order has its key, a cart is in its cookie, cancelling what is cancelled
    changes nothing.
    """

    @wraps(view)
    def guarded(request: HttpRequest, *arguments: Any, **named: Any) -> HttpResponse:
        try:
            return view(request, *arguments, **named)
        except (OperationalError, InterfaceError) as error:
            first = error
        if connection.in_atomic_block or connection.is_usable():
            return errors.unavailable(request, first)
        connection.close()
        try:
            return view(request, *arguments, **named)
        except (OperationalError, InterfaceError) as error:
            return errors.unavailable(request, error)

    return guarded
