"""Where a parcel goes when it does not go where the order says: the address as somebody at the desk corrected it.

It stands beside the order, whose own address never changes: the invoice is made out to that one.
"""

from typing import LiteralString

from django.db import models

from orders.models.order import Order

# The fields of an address as the parcel has it: of `orders_order o`, and of `orders_delivery d` where there is one.
DELIVERED_TO: LiteralString = """coalesce(d.name, o.name), coalesce(d.line1, o.line1), coalesce(d.line2, o.line2),
       coalesce(d.city, o.city), coalesce(d.postcode, o.postcode), coalesce(d.country, o.country)"""
DELIVERY: LiteralString = "LEFT JOIN orders_delivery d ON d.order_id = o.id"


class Delivery(models.Model):
    order = models.OneToOneField(Order, on_delete=models.PROTECT, related_name="delivery")
    name = models.CharField(max_length=120)
    line1 = models.CharField(max_length=200)
    line2 = models.CharField(max_length=200, blank=True)
    city = models.CharField(max_length=100)
    postcode = models.CharField(max_length=20, blank=True)
    country = models.CharField(max_length=2, help_text="ISO 3166-1 alpha-2.")

    def __str__(self) -> str:
        return f"{self.order} to {self.name}"


def delivered_to(order: Order) -> "Order | Delivery":
    """Where the order's parcel goes: whichever of the two has the address."""
    corrected: Delivery | None = getattr(order, "delivery", None)
    return corrected or order
