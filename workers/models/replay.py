"""A replay of many dead letters: one first, the canary, then the rest at a chosen rate, until one fails again.

A row with `due_at`, like all work: the relay takes it up, so it outlives the process that began it. Its letters point
at it; those still open are still to come.
"""

from django.db import models
from django.db.models.functions import Now


class Replay(models.Model):
    class State(models.TextChoices):
        CANARY = "canary", "Trying one"
        ROLLING = "rolling", "Taking up the rest"
        HALTED = "halted", "Halted: it failed again"
        STOPPED = "stopped", "Stopped by a person"
        DONE = "done", "Done"

    chosen = models.CharField(max_length=300, help_text="Which letters, in words.")
    fingerprint = models.CharField(max_length=64, blank=True, help_text="Of the group, if it is of one.")
    rate = models.FloatField(help_text="Letters a second, after the canary.")
    state = models.CharField(max_length=10, choices=State.choices, db_default=State.CANARY)
    total = models.IntegerField(help_text="Letters that were chosen.")
    replayed = models.IntegerField(db_default=0, help_text="Letters taken up so far.")
    failed_again = models.IntegerField(db_default=0)
    said = models.CharField(max_length=300, blank=True, db_default="", help_text="Why it ended early.")
    by = models.CharField(max_length=150)
    created_at = models.DateTimeField(db_default=Now())
    ended_at = models.DateTimeField(null=True, blank=True)
    due_at = models.DateTimeField(null=True, blank=True, db_default=Now())

    class Meta:
        ordering = ["-id"]
        constraints = [
            models.CheckConstraint(condition=models.Q(rate__gt=0), name="replay_rate_positive"),
        ]
        indexes = [
            models.Index(name="replay_due", fields=["due_at"], condition=models.Q(due_at__isnull=False))
        ]

    def __str__(self) -> str:
        return f"Replay {self.pk} of {self.chosen}"
