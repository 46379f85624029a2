"""Money that went back without our asking: refunded by hand at the provider, or taken back by the buyer's bank.

Each is known by the provider's own id, so it is taken over once, however often it is seen. When the money is gone for
good it is a refund of the order like any other (`refund`), with its credit note. Of an order that ended without goods
there is nothing to credit, and of money beyond what was captured neither: those have none.
"""

from django.db import models
from django.db.models.functions import Now

from orders.models.order import Order
from orders.models.refund import Refund


class Reversal(models.Model):
    class Kind(models.TextChoices):
        REFUND = "refund", "Refunded by hand"
        DISPUTE = "dispute", "Disputed"

    class Status(models.TextChoices):
        ASKED = "asked", "The bank asks about it"
        OPEN = "open", "The bank holds the money"
        WON = "won", "The money is ours again"
        GIVEN_BACK = "given_back", "Given back"

    order = models.ForeignKey(Order, on_delete=models.PROTECT, related_name="reversals", db_index=False)
    kind = models.CharField(max_length=10, choices=Kind.choices)
    reference = models.CharField(max_length=255, help_text="The provider's own id of the refund or dispute.")
    amount_minor = models.BigIntegerField()
    status = models.CharField(max_length=10, choices=Status.choices)
    refund = models.ForeignKey(
        Refund, on_delete=models.PROTECT, null=True, blank=True, related_name="reversals", db_index=False
    )
    seen_at = models.DateTimeField(db_default=Now())
    changed_at = models.DateTimeField(db_default=Now())

    class Meta:
        ordering = ["-id"]
        constraints = [
            models.UniqueConstraint(fields=["reference"], name="reversal_once"),
            models.CheckConstraint(condition=models.Q(amount_minor__gt=0), name="reversal_amount_positive"),
        ]
        indexes = [
            models.Index(name="reversal_by_order", fields=["order", "id"]),
            models.Index(name="reversal_by_refund", fields=["refund"]),
            models.Index(
                name="reversal_undecided",
                fields=["order"],
                condition=models.Q(status__in=["asked", "open"]),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.reference}: {self.get_kind_display()}"
