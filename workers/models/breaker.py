"""The circuit breakers, a row for each provider: all workers know whether it is open, and it outlives them.

workers.breakers decides how the columns change.
"""

from django.db import models
from django.db.models.functions import Now

from orders.states import Provider


class Breaker(models.Model):
    """A provider without a row has never failed: its breaker is closed."""

    class State(models.TextChoices):
        CLOSED = "closed", "Closed: calls go through"
        OPEN = "open", "Open: its orders are parked"
        HALF_OPEN = "half_open", "Half open: a few are let through"

    provider = models.CharField(max_length=10, choices=Provider.choices, primary_key=True)
    state = models.CharField(max_length=10, choices=State.choices, db_default=State.CLOSED)
    generation = models.IntegerField(
        db_default=0,
        help_text="Counts changes of state: the answer to a call of an earlier one decides nothing.",
    )
    failures = models.IntegerField(db_default=0, help_text="Failures in a row.")
    last_error = models.CharField(max_length=300, blank=True, db_default="")
    answered_at = models.DateTimeField(
        null=True,
        blank=True,
        help_text="The first answer to anybody since a call took long; empty while there was none.",
    )

    since = models.DateTimeField(db_default=Now(), help_text="When it last opened or closed.")
    times_opened = models.IntegerField(db_default=0)

    # While it is not closed.
    failed_probes = models.IntegerField(db_default=0, help_text="Since it opened.")
    next_probe_at = models.DateTimeField(null=True, blank=True)
    stage = models.SmallIntegerField(db_default=0, help_text="How far the recovery has come.")
    permits = models.IntegerField(db_default=0, help_text="Orders that may still go through in this stage.")
    to_wake = models.IntegerField(
        db_default=0, help_text="Parked orders that the relay is to wake for this stage."
    )
    parked_until = models.DateTimeField(
        null=True, blank=True, help_text="The `due_at` of every order that is parked here, and of no other."
    )

    class Meta:
        ordering = ["provider"]
        verbose_name = "circuit breaker"

    def __str__(self) -> str:
        return f"{self.get_provider_display()}: {self.state}"
