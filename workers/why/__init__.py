"""Why an order stands where it stands: one sentence, for `manage.py why` and for the order's page at the desk.

What is known is gathered in one place (`seen`), also from a broker that may be away, and put into words in another
(`words`), which asks nobody and has something to say about every order there can be.
"""

from django.utils import timezone

from orders.models import Order
from workers.why.seen import look
from workers.why.words import Why, explain

__all__ = ["Why", "sentence", "why"]


def why(order: Order) -> Why:
    return explain(look(order), timezone.now())


def sentence(order: Order) -> str:
    """For the desk (settings.ORDER_EXPLAINED_BY)."""
    return why(order).sentence
