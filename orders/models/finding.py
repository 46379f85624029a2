"""What the reconciler found to differ between our books and the provider's, and could not mend by itself.

A finding is open until the two agree again, which the next run notices, or until a person closes it and says why. What
a person has closed comes back only when the amounts change.
"""

from django.db import models
from django.db.models.functions import Now

from orders.models.order import Order


class Finding(models.Model):
    class Kind(models.TextChoices):
        UNKNOWN_CHARGE = "unknown_charge", "Captured without an order"
        SECOND_CHARGE = "second_charge", "Captured beside the order's own charge"
        CAPTURE_MISSING = "capture_missing", "In our books, not at the provider"
        AMOUNT_DIFFERS = "amount_differs", "Captured another amount"
        REFUND_MISSING = "refund_missing", "Refund missing at the provider"
        REFUND_UNKNOWN = "refund_unknown", "Refund that our books do not have"
        DISPUTED = "disputed", "Disputed, and its order waits for a person"
        CHARGE_HELD = "charge_held", "The provider holds money of an order that has ended without"

    gateway = models.CharField(max_length=100)
    kind = models.CharField(max_length=20, choices=Kind.choices)
    reference = models.CharField(max_length=255, help_text="The provider's own id of the charge.")
    order = models.ForeignKey(Order, on_delete=models.PROTECT, null=True, blank=True, related_name="findings")
    currency = models.CharField(max_length=3)
    ours_minor = models.BigIntegerField(help_text="What our books say.")
    theirs_minor = models.BigIntegerField(help_text="What the provider says.")
    detail = models.CharField(max_length=300)
    first_seen_at = models.DateTimeField(db_default=Now())
    last_seen_at = models.DateTimeField(db_default=Now())
    times = models.IntegerField(db_default=1, help_text="How many looks have found it.")
    resolved_at = models.DateTimeField(null=True, blank=True)
    resolution = models.CharField(max_length=300, blank=True, db_default="")
    closed_by = models.CharField(
        max_length=150, blank=True, db_default="", help_text="Who closed it by hand."
    )

    class Meta:
        ordering = ["-id"]
        constraints = [
            models.UniqueConstraint(
                fields=["gateway", "kind", "reference"],
                condition=models.Q(resolved_at__isnull=True),
                name="finding_open_once",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.reference}: {self.get_kind_display()}"
