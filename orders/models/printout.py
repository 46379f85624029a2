"""Something to print or to save that staff asked for: packing slips, a pick list, the catalogue, a report of orders.

A worker makes it under a lease (orders.lease), so nothing is made twice at once. Two printouts that say the same have
the same `content_hash`: the second gets the file of the first.
"""

import uuid

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models.functions import Now

from orders.models.leased import Leased


class Printout(Leased):
    class Kind(models.TextChoices):
        PACKING_SLIPS = "packing_slips", "Packing slips"
        PICK_LIST = "pick_list", "Pick list"
        CATALOGUE = "catalogue", "Product catalogue"
        ORDERS_PDF = "orders_pdf", "Report of orders (PDF)"
        ORDERS_CSV = "orders_csv", "Report of orders (CSV)"

    class State(models.TextChoices):
        WAITING = "waiting", "Waiting"
        MAKING = "making", "Being made"
        DONE = "done", "Done"
        FAILED = "failed", "Failed"
        CANCELLED = "cancelled", "Cancelled"

    UNDER_WAY = (State.WAITING, State.MAKING)

    token = models.UUIDField(unique=True, default=uuid.uuid4, editable=False)
    kind = models.CharField(max_length=16, choices=Kind.choices)
    since = models.DateField(null=True, blank=True, help_text="First day, in the shop's time zone.")
    until = models.DateField(null=True, blank=True, help_text="Last day, that day included.")
    order_ids = ArrayField(
        models.BigIntegerField(), default=list, blank=True, help_text="These orders, instead of days."
    )
    by = models.CharField(max_length=150, help_text="Who asked for it.")
    state = models.CharField(max_length=10, choices=State.choices, db_default=State.WAITING)
    problem = models.TextField(blank=True, db_default="", help_text="Why it failed, for people.")

    rows_total = models.PositiveIntegerField(db_default=0, help_text="What goes into it; 0 until counted.")
    rows_done = models.PositiveIntegerField(db_default=0)
    pages = models.PositiveIntegerField(db_default=0)
    size = models.PositiveBigIntegerField(db_default=0, help_text="Bytes.")
    content_hash = models.CharField(
        max_length=64, blank=True, db_default="", help_text="SHA-256 of what it says."
    )
    file = models.CharField(max_length=200, blank=True, db_default="", help_text="Under MEDIA_ROOT.")

    created_at = models.DateTimeField(db_default=Now())
    started_at = models.DateTimeField(null=True, blank=True)
    ended_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["-id"]
        indexes = [
            models.Index(name="printout_due", fields=["due_at"], condition=models.Q(due_at__isnull=False)),
            models.Index(
                name="printout_by_content", fields=["content_hash"], condition=models.Q(state="done")
            ),
        ]
        constraints = [
            models.CheckConstraint(
                name="printout_days_in_order",
                condition=models.Q(since__isnull=True)
                | models.Q(until__isnull=True)
                | models.Q(since__lte=models.F("until")),
            ),
            models.CheckConstraint(
                name="printout_under_way_is_due",
                condition=models.Q(state__in=("waiting", "making"), due_at__isnull=False)
                | models.Q(state__in=("done", "failed", "cancelled"), due_at__isnull=True),
            ),
        ]

    def __str__(self) -> str:
        return f"P-{self.pk}"

    @property
    def percent(self) -> int:
        return min(100, 100 * self.rows_done // self.rows_total) if self.rows_total else 0

    @property
    def filename(self) -> str:
        """What it is called where it is saved: pick-list-2026-11-21.pdf."""
        days = [day.isoformat() for day in (self.since, self.until) if day]
        if len(days) == 2 and days[0] == days[1]:
            days.pop()
        name = "-".join(
            [self.kind.removesuffix("_pdf").removesuffix("_csv").replace("_", "-"), *(days or [f"{self.pk}"])]
        )
        return f"{name}.{self.suffix}"

    @property
    def suffix(self) -> str:
        return "csv" if self.kind.endswith("_csv") else "pdf"
