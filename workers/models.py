"""Dead letters: what a machine could not do and a person must look at. Everything that is given up ends here."""

from django.db import models
from django.db.models.functions import Now

from orders.models import Order


class DeadLetter(models.Model):
    order = models.ForeignKey(Order, on_delete=models.PROTECT, related_name="dead_letters")
    task = models.CharField(max_length=60)
    error_class = models.CharField(max_length=200)
    message = models.TextField()
    traceback = models.TextField(blank=True)
    fingerprint = models.CharField(max_length=64, db_index=True, help_text="The same for the same failure.")
    stops_order = models.BooleanField(help_text="Whether the order waits for this to be resolved.")
    created_at = models.DateTimeField(db_default=Now())
    resolved_at = models.DateTimeField(null=True, blank=True)
    resolution = models.CharField(max_length=300, blank=True)

    class Meta:
        ordering = ["-id"]
        indexes = [
            models.Index(
                name="dead_letter_open", fields=["order"], condition=models.Q(resolved_at__isnull=True)
            )
        ]

    def __str__(self) -> str:
        return f"{self.order} {self.task}: {self.error_class}"
