"""Money given back of a completed order, whole or in part: the row that its idempotency key is made from.

The row is the promise: it is written, and counted in `Payment.promised_minor`, before the provider is asked. The lines
say which pieces it was for; a refund of an amount that no lines explain has none.
"""

from django.db import models
from django.db.models.functions import Now

from orders.models.order import Order, OrderLine


class Refund(models.Model):
    class Status(models.TextChoices):
        REQUESTED = "requested", "Being given back"
        MADE = "made", "Given back"

    order = models.ForeignKey(Order, on_delete=models.PROTECT, related_name="refunds", db_index=False)
    request_key = models.CharField(
        max_length=64, help_text="Of the form that asked for it: sent twice, it is one refund."
    )
    status = models.CharField(max_length=10, choices=Status.choices, db_default=Status.REQUESTED)
    amount_minor = models.BigIntegerField()
    whole = models.BooleanField(help_text="It gave back all that was left, and ended the order as refunded.")
    restock = models.BooleanField(help_text="The pieces came back and are on the shelf again.")
    reason = models.CharField(max_length=300)
    requested_by = models.CharField(max_length=150)
    requested_at = models.DateTimeField(db_default=Now())
    asked_at = models.DateTimeField(null=True, blank=True, help_text="When the provider was first asked.")
    refusals = models.SmallIntegerField(
        db_default=0,
        help_text="How often the provider refused it; each try after one goes under a key of its own.",
    )
    found_minor = models.BigIntegerField(
        db_default=0, help_text="How much of it was found to be given back already, and is not paid again."
    )
    made_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["id"]
        constraints = [
            models.UniqueConstraint(fields=["request_key"], name="refund_once_per_request"),
            models.CheckConstraint(condition=models.Q(amount_minor__gt=0), name="refund_amount_positive"),
        ]
        indexes = [
            models.Index(name="refund_by_order", fields=["order", "id"]),
            models.Index(name="refund_requested", fields=["order"], condition=models.Q(status="requested")),
        ]

    def __str__(self) -> str:
        return f"{self.order} {self.amount_minor} {self.status}"


class RefundLine(models.Model):
    """So many pieces of a line that a refund was for."""

    refund = models.ForeignKey(Refund, on_delete=models.PROTECT, related_name="lines", db_index=False)
    line = models.ForeignKey(OrderLine, on_delete=models.PROTECT, related_name="refunded")
    quantity = models.PositiveIntegerField()

    class Meta:
        ordering = ["id"]
        constraints = [
            models.UniqueConstraint(fields=["refund", "line"], name="refund_line_once"),
            models.CheckConstraint(condition=models.Q(quantity__gt=0), name="refund_line_quantity_positive"),
        ]

    def __str__(self) -> str:
        return f"{self.quantity} × {self.line.sku}"
