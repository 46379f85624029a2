"""Where an order stands and why: one sentence, for `manage.py why` and for the order's page in the admin.

`situation` gathers what is known, from the database and from the broker, which may be away. `words` puts it into a
sentence; it asks nobody, and has one for every situation that there can be.
"""

from django.utils import timezone

from orders.models import Order
from workers.why.situation import look
from workers.why.words import Why, explain

__all__ = ["Why", "sentence", "why"]


def why(order: Order) -> Why:
    return explain(look(order), timezone.now())


def sentence(order: Order) -> str:
    """For the admin (settings.ORDER_EXPLAINED_BY)."""
    return why(order).sentence
