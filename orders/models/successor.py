"""Which order took the place of one that ended without its goods: what "Try another card" or "Order again" led to.

An order has one successor at most, or two presses of the button would be two charges: the primary key holds it to that,
and orders.placing writes the row in the statement that places the successor. A successor that fails as well may have
one of its own.
"""

from django.db import models

from orders.models.order import Order


class Successor(models.Model):
    failed = models.OneToOneField(
        Order, on_delete=models.PROTECT, primary_key=True, related_name="succession"
    )
    order = models.OneToOneField(Order, on_delete=models.PROTECT, related_name="predecession")

    def __str__(self) -> str:
        return f"{self.order} after {self.failed}"


# The successor of an order, that one's successor, and so on to the newest.
_NEWEST = """
WITH RECURSIVE chain AS (
    SELECT order_id, 1 AS place FROM orders_successor WHERE failed_id = %(id)s
    UNION ALL
    SELECT s.order_id, chain.place + 1 FROM orders_successor s JOIN chain ON s.failed_id = chain.order_id
)
SELECT o.* FROM orders_order o JOIN chain ON o.id = chain.order_id ORDER BY chain.place DESC LIMIT 1
"""


def successor_of(order: Order) -> Order | None:
    """The order that stands in the place of this one now; None when it was not tried again."""
    return next(iter(Order.objects.raw(_NEWEST, {"id": order.pk})), None)
