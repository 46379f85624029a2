"""The inbox: every signed report of a payment provider, kept once, whatever it is about.

What a report claims is never believed. A report is applied when it has made its order due, or when nothing is left to
learn from it. One whose order is unknown waits here, where people see it.
"""

from django.db import models
from django.db.models.functions import Now

from orders.models.order import Order


class ProviderEvent(models.Model):
    gateway = models.CharField(max_length=100, help_text="Whose signature it bears.")
    event_id = models.CharField(max_length=255, help_text="The provider's own id of the report.")
    kind = models.CharField(max_length=100, help_text="payment_intent.succeeded, charge.refunded, …")
    reference = models.CharField(max_length=255, blank=True, help_text="The charge that it is about.")
    order = models.ForeignKey(
        Order, on_delete=models.PROTECT, null=True, blank=True, related_name="provider_events", db_index=False
    )
    body = models.TextField(help_text="As it came.")
    happened_at = models.DateTimeField(null=True, blank=True, help_text="By the provider's clock.")
    received_at = models.DateTimeField(db_default=Now())
    times = models.IntegerField(db_default=1, help_text="How often it was delivered.")
    last_received_at = models.DateTimeField(db_default=Now())
    applied_at = models.DateTimeField(
        null=True, blank=True, help_text="When it rang for its order, or there was nothing left to learn."
    )

    class Meta:
        ordering = ["-id"]
        constraints = [
            models.UniqueConstraint(fields=["gateway", "event_id"], name="provider_event_once"),
        ]
        indexes = [
            models.Index(name="provider_event_by_order", fields=["order", "id"]),
            models.Index(
                name="provider_event_waiting",
                fields=["reference"],
                condition=models.Q(applied_at__isnull=True),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.kind} {self.event_id}"
