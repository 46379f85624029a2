"""What a restore from a backup leaves behind: numbers that are not given out again, and calls that the books lost."""

from django.db import models
from django.db.models.functions import Now

from orders.models.order import NUMBER_OFFSET, NUMBER_PREFIX


class Restore(models.Model):
    """One restore. Its numbers, both ends included, may be in customers' hands, and are in no book."""

    made_at = models.DateTimeField(db_default=Now())
    books_until = models.DateTimeField(null=True, help_text="The last event that the backup has.")
    first_order = models.BigIntegerField()
    last_order = models.BigIntegerField()
    first_invoice = models.BigIntegerField()
    last_invoice = models.BigIntegerField()
    first_credit_note = models.BigIntegerField()
    last_credit_note = models.BigIntegerField()

    class Meta:
        ordering = ["id"]

    def __str__(self) -> str:
        ends = (f"{NUMBER_PREFIX}{number + NUMBER_OFFSET}" for number in (self.first_order, self.last_order))
        return f"restore without {' to '.join(ends)}"


class LostCall(models.Model):
    """What a provider did for an order after the backup was made, and the restored books cannot say: for a person."""

    restore = models.ForeignKey(Restore, on_delete=models.PROTECT, related_name="lost_calls")
    provider = models.CharField(max_length=10)
    kind = models.CharField(max_length=20, help_text="captured, refunded, booked, sent, delivered, …")
    reference = models.CharField(max_length=255, help_text="The provider's own id.")
    key = models.CharField(max_length=255)
    order_number = models.CharField(max_length=100)
    amount_minor = models.BigIntegerField()
    currency = models.CharField(max_length=3)

    class Meta:
        ordering = ["order_number", "id"]
        constraints = [
            models.UniqueConstraint(
                fields=["provider", "kind", "reference", "key"], name="lost_call_listed_once"
            )
        ]

    def __str__(self) -> str:
        return f"{self.order_number}: {self.kind} by {self.provider} ({self.reference})"
