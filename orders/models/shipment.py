"""The parcel of an order. Its row is written before the carrier is asked; from then on nothing can be cancelled, unless
the carrier refuses and has no parcel.

Its key is made from the order (orders.row_keys), so that a row that was lost with a database comes back with it.
"""

from django.db import models
from django.db.models.functions import Now

from orders.models.order import Order


class Shipment(models.Model):
    class Status(models.TextChoices):
        REQUESTED = "requested", "Being booked"
        BOOKED = "booked", "Handed to the carrier"
        REFUSED = "refused", "Refused by the carrier"

    order = models.OneToOneField(Order, on_delete=models.PROTECT, related_name="shipment")
    status = models.CharField(max_length=10, choices=Status.choices, db_default=Status.REQUESTED)
    key = models.UUIDField(db_default=models.Func(function="gen_random_uuid"))
    carrier = models.CharField(max_length=60, blank=True, db_default="")
    tracking_number = models.CharField(max_length=60, blank=True, db_default="")
    tracking_url = models.URLField(max_length=500, blank=True, db_default="")
    failures = models.SmallIntegerField(db_default=0, help_text="Failed tries.")
    refusals = models.SmallIntegerField(
        db_default=0,
        help_text="How often the carrier refused it; each try after one goes under a key of its own.",
    )
    reason = models.CharField(max_length=300, blank=True, db_default="", help_text="Why the last try failed.")
    requested_at = models.DateTimeField(db_default=Now())
    booked_at = models.DateTimeField(null=True, blank=True)

    def __str__(self) -> str:
        return f"{self.order} {self.tracking_number or self.status}"


def parcel_of(order: Order) -> str | None:
    """The status of an order's shipment; None if none was asked for."""
    shipment: Shipment | None = getattr(order, "shipment", None)
    return shipment.status if shipment else None
