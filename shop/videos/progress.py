"""How far a video has come, in figures and in a sentence for people."""

from dataclasses import dataclass
from datetime import datetime

from django.db.models import Sum
from django.utils.timezone import now

from shop.videos.models import Video

_SAID = {
    Video.State.WAITING: "Uploaded, processing.",
    Video.State.JOINING: "Encoded, being put together.",
}


@dataclass(frozen=True, slots=True)
class Progress:
    state: str
    done: float  # seconds of the video that are encoded
    total: float  # seconds; 0 before it was looked at
    percent: int
    estimate: float | None  # seconds until it is encoded, where anything can be said
    words: str


def progress_of(video: Video) -> Progress:
    """One query while it is being encoded, none else."""
    total = (video.duration_ms or 0) / 1000
    if video.state != Video.State.ENCODING or not total:
        through = video.state in (Video.State.JOINING, Video.State.PUBLISHED, Video.State.REPLACED)
        words = _SAID.get(Video.State(video.state), f"{video.get_state_display()}.")
        return Progress(video.state, total if through else 0, total, 100 if through else 0, None, words)
    # Number 0 is the sound; the pictures are what takes time.
    pictures = video.segments.filter(number__gt=0)
    found = pictures.aggregate(encoded=Sum("encoded_ms"))
    done = min((found["encoded"] or 0) / 1000, total)
    estimate = _estimate(done, total, video.started_at)
    soon = f", about {_round(estimate)} s left" if estimate is not None else ""
    words = f"Encoding, {done:.0f} of {total:.0f} s{soon}."
    return Progress(video.state, done, total, int(done / total * 100), estimate, words)


def _estimate(done: float, total: float, begun: datetime | None) -> float | None:
    """At the pace so far."""
    if not done or begun is None:
        return None
    return (now() - begun).total_seconds() / done * (total - done)


def _round(seconds: float) -> int:
    """No finer than anybody can say: fives up to a minute, then tens."""
    step = 5 if seconds < 60 else 10
    return max(step, round(seconds / step) * step)
