"""A video on its way: the upload that brings it, the video itself, the segments it is encoded in, its captions.

A video and a segment are rows with work to do (orders.models.leased): nothing runs twice at once, however often the
broker hands out a message, and what a dead worker held is due again when its lease has run out.
"""

import uuid

from django.db import models
from django.db.models.functions import Now

from orders.models.leased import Leased
from shop.catalogue.models import Product


class Upload(models.Model):
    """A file that comes in piece by piece (tus): kept under a name that we drew, whatever it is called elsewhere."""

    token = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    product = models.ForeignKey(Product, on_delete=models.PROTECT, related_name="uploads")
    filename = models.CharField(max_length=255, help_text="As the sender calls it; for people alone.")
    size = models.PositiveBigIntegerField(help_text="Bytes in all, as announced.")
    offset = models.PositiveBigIntegerField(db_default=0, help_text="Bytes that have arrived and are kept.")
    checksum = models.CharField(
        max_length=64, blank=True, db_default="", help_text="SHA-256 of the whole, where the sender named it."
    )
    multipart = models.CharField(
        max_length=1024,
        blank=True,
        db_default="",
        help_text="What an object storage calls the unfinished file.",
    )
    metadata = models.TextField(
        blank=True,
        db_default="",
        help_text="Upload-Metadata as it was sent; given back as it is, and not read.",
    )
    by = models.CharField(max_length=150, help_text="Who sends it.")
    created_at = models.DateTimeField(db_default=Now())
    expires_at = models.DateTimeField(help_text="When it is thrown away, unless more of it arrives.")

    class Meta:
        ordering = ["-created_at"]
        indexes = [models.Index(name="upload_by_expiry", fields=["expires_at"])]
        constraints = [
            models.CheckConstraint(
                name="upload_not_more_than_announced", condition=models.Q(offset__lte=models.F("size"))
            )
        ]

    def __str__(self) -> str:
        return f"{self.filename} ({self.offset:,} of {self.size:,} bytes)"


class Video(Leased):
    class State(models.TextChoices):
        WAITING = "waiting", "Uploaded, processing"
        ENCODING = "encoding", "Encoding"
        JOINING = "joining", "Joining"
        PUBLISHED = "published", "Published"
        REPLACED = "replaced", "Replaced by a newer one"
        REMOVED = "removed", "Removed"
        REFUSED = "refused", "Refused"
        FAILED = "failed", "Failed"
        CANCELLED = "cancelled", "Cancelled"

    UNDER_WAY = (State.WAITING, State.ENCODING, State.JOINING)

    class Hdr(models.TextChoices):
        HLG = "hlg", "HLG"
        PQ = "pq", "PQ"

    token = models.UUIDField(unique=True, default=uuid.uuid4, editable=False, help_text="Names its folder.")
    product = models.ForeignKey(Product, on_delete=models.PROTECT, related_name="videos")
    filename = models.CharField(max_length=255, help_text="As the sender calls it; for people alone.")
    source = models.CharField(
        max_length=200, blank=True, help_text="The uploaded file; empty when thrown away."
    )
    size = models.PositiveBigIntegerField(help_text="Bytes of the uploaded file.")
    checksum = models.CharField(
        max_length=64, blank=True, db_default="", help_text="SHA-256 of the file, where the sender named it."
    )
    by = models.CharField(max_length=150, help_text="Who sent it.")
    state = models.CharField(max_length=10, choices=State.choices, db_default=State.WAITING)
    problem = models.TextField(
        blank=True, db_default="", help_text="Why it was refused or has failed, for people."
    )

    # What the probe found; nothing before it.
    duration_ms = models.PositiveBigIntegerField(null=True, blank=True)
    width = models.PositiveIntegerField(null=True, blank=True, help_text="As shown, after any rotation.")
    height = models.PositiveIntegerField(null=True, blank=True)
    frame_rate = models.CharField(
        max_length=20, blank=True, db_default="", help_text="Frames a second, as a fraction: 30000/1001."
    )
    has_audio = models.BooleanField(null=True, blank=True)
    hdr = models.CharField(
        max_length=3,
        choices=Hdr.choices,
        blank=True,
        default="",
        db_default="",
        help_text="How its brightness is encoded, if it is HDR.",
    )
    is_interlaced = models.BooleanField(
        default=False,
        db_default=False,
        help_text="Each frame is two half pictures, taken one after the other.",
    )

    created_at = models.DateTimeField(db_default=Now())
    started_at = models.DateTimeField(null=True, blank=True, help_text="When its probe began.")
    published_at = models.DateTimeField(null=True, blank=True)
    ended_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["-id"]
        indexes = [
            models.Index(name="video_due", fields=["due_at"], condition=models.Q(due_at__isnull=False)),
            models.Index(name="video_by_product", fields=["product", "-id"]),
            # The few that are not published yet; what waits is counted often.
            models.Index(
                name="video_under_way",
                fields=["state"],
                condition=models.Q(state__in=["waiting", "encoding", "joining"]),
            ),
        ]
        constraints = [
            models.UniqueConstraint(
                name="video_published_once_per_product",
                fields=["product"],
                condition=models.Q(state="published"),
            )
        ]

    def __str__(self) -> str:
        return f"V-{self.pk}"


class Segment(Leased):
    """A stretch of a video that is encoded by itself, in all sizes at once, by whichever worker comes first.

    Number 0 is the sound of the whole; pictures begin with 1. `done_at` is written once, and a segment that has it is
    never encoded again.
    """

    video = models.ForeignKey(Video, on_delete=models.CASCADE, related_name="segments", db_index=False)
    number = models.PositiveIntegerField()
    start_ms = models.PositiveBigIntegerField()
    end_ms = models.PositiveBigIntegerField()
    encoded_ms = models.PositiveBigIntegerField(db_default=0, help_text="How far its encoder has come.")
    encodes = models.IntegerField(db_default=0, help_text="How often it was begun.")
    done_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["video", "number"]
        indexes = [
            models.Index(name="segment_due", fields=["due_at"], condition=models.Q(due_at__isnull=False)),
            # How fast the house encodes is counted from the latest.
            models.Index(name="segment_done", fields=["done_at"], condition=models.Q(done_at__isnull=False)),
        ]
        constraints = [
            models.UniqueConstraint(name="segment_once_per_number", fields=["video", "number"]),
            models.CheckConstraint(
                name="segment_done_is_not_due",
                condition=models.Q(done_at__isnull=True) | models.Q(due_at__isnull=True),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.video} segment {self.number}"


class Caption(models.Model):
    """Words to a product's video in one language, as WebVTT; shown with whichever video is published."""

    product = models.ForeignKey(Product, on_delete=models.CASCADE, related_name="captions")
    language = models.CharField(max_length=12, help_text="A language tag: en, de, pt-BR.")
    label = models.CharField(max_length=60, help_text="As people read it: English.")
    text = models.TextField(help_text="The WebVTT file.")

    class Meta:
        ordering = ["language"]
        constraints = [
            models.UniqueConstraint(name="caption_once_per_language", fields=["product", "language"])
        ]

    def __str__(self) -> str:
        return f"{self.label} ({self.language})"
