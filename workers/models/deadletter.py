"""Dead letters: what a machine has given up and a person must look at."""

from django.db import models
from django.db.models.functions import Now

from orders.models import Order
from shop.videos.models import Video
from workers.models.replay import Replay


class DeadLetter(models.Model):
    order = models.ForeignKey(
        Order, null=True, blank=True, on_delete=models.PROTECT, related_name="dead_letters"
    )
    video = models.ForeignKey(
        Video, null=True, blank=True, on_delete=models.PROTECT, related_name="dead_letters"
    )
    task = models.CharField(max_length=200)
    subject = models.CharField(
        max_length=200, blank=True, db_default="", help_text="What it is about, where that is no order."
    )
    payload = models.TextField(
        blank=True, db_default="", help_text="A message that could not be read, as it came."
    )
    error_class = models.CharField(max_length=200)
    message = models.TextField()
    traceback = models.TextField(blank=True)
    fingerprint = models.CharField(max_length=64, db_index=True, help_text="The same for the same failure.")
    code_version = models.CharField(
        max_length=60, blank=True, db_default="", help_text="Of the code that gave up."
    )
    stops_order = models.BooleanField(help_text="Whether the order waits for this to be resolved.")
    created_at = models.DateTimeField(db_default=Now())
    replay = models.ForeignKey(
        Replay,
        null=True,
        blank=True,
        on_delete=models.PROTECT,
        related_name="letters",
        help_text="The last replay of many that it was chosen for.",
    )
    resolved_at = models.DateTimeField(null=True, blank=True)
    resolution = models.CharField(max_length=300, blank=True)

    class Meta:
        ordering = ["-id"]
        indexes = [
            models.Index(
                name="dead_letter_open", fields=["order"], condition=models.Q(resolved_at__isnull=True)
            ),
            models.Index(
                name="dead_letter_open_alike",
                fields=["fingerprint", "id"],
                condition=models.Q(resolved_at__isnull=True),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.about} {self.task}: {self.error_class}"

    @property
    def about(self) -> str:
        """The order's number, or the subject."""
        return self.order.number if self.order else self.subject


class DeadLetterAction(models.Model):
    """What a person did about a dead letter. Written in the transaction that did it."""

    class Kind(models.TextChoices):
        REPLAYED = "replayed", "Replayed"
        DISCARDED = "discarded", "Discarded"
        CANCELLED = "cancelled", "Order cancelled"
        NOTED = "noted", "Noted"

    letter = models.ForeignKey(DeadLetter, on_delete=models.PROTECT, related_name="actions")
    kind = models.CharField(max_length=10, choices=Kind.choices)
    by = models.CharField(max_length=150)
    why = models.CharField(max_length=300, blank=True, db_default="")
    at = models.DateTimeField(db_default=Now())
    replay = models.ForeignKey(
        Replay, null=True, blank=True, on_delete=models.PROTECT, related_name="actions"
    )

    class Meta:
        ordering = ["id"]

    def __str__(self) -> str:
        return f"{self.get_kind_display()} by {self.by}"
