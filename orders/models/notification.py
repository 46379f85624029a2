"""Messages to the customer, a row for each kind and channel; the row's key is the message's idempotency key.

It is made from the order, channel and kind (orders.row_keys), so that a row that was lost comes back with it.
"""

from django.db import models
from django.db.models.functions import Now

from orders.models.order import Order
from orders.states import Channel


class Notification(models.Model):
    class Kind(models.TextChoices):
        CONFIRMATION = "confirmation", "Order confirmation"
        OUT_OF_STOCK = "out_of_stock", "Out of stock"
        PAYMENT_DECLINED = "payment_declined", "Payment declined"
        CANCELLED = "cancelled", "Cancelled"
        REFUNDED = "refunded", "Refunded"

    class Status(models.TextChoices):
        REQUESTED = "requested", "Being sent"
        SENT = "sent", "Sent"
        FAILED = "failed", "Given up"

    order = models.ForeignKey(Order, on_delete=models.PROTECT, related_name="notifications", db_index=False)
    channel = models.CharField(max_length=8, choices=Channel.choices)
    kind = models.CharField(max_length=20, choices=Kind.choices)
    status = models.CharField(max_length=10, choices=Status.choices, db_default=Status.REQUESTED)
    key = models.UUIDField(db_default=models.Func(function="gen_random_uuid"))
    reference = models.CharField(
        max_length=100, blank=True, db_default="", help_text="The provider's own id."
    )
    failures = models.SmallIntegerField(db_default=0, help_text="Failed tries.")
    reason = models.CharField(max_length=300, blank=True, db_default="", help_text="Why the last try failed.")
    requested_at = models.DateTimeField(db_default=Now())
    sent_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["id"]
        constraints = [
            models.UniqueConstraint(fields=["order", "channel", "kind"], name="notification_once_per_kind")
        ]

    def __str__(self) -> str:
        return f"{self.order} {self.channel} {self.kind}"
