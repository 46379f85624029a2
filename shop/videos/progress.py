"""How far a video is, in figures and in words for people."""

from dataclasses import dataclass

from django.db.models import F, Sum

from shop.videos.models import Video


@dataclass(frozen=True)
class Progress:
    """Times in seconds of video; `estimate` in seconds from now, None while nobody can say."""

    state: str
    done: float
    total: float
    percent: int
    estimate: float | None
    words: str


def progress_of(video: Video) -> Progress:
    total = (video.duration_ms or 0) / 1000
    sums = video.segments.filter(number__gt=0).aggregate(
        done=Sum(F("encoded_ms"), default=0),
    )
    done = total if video.state == Video.State.PUBLISHED else min(total, sums["done"] / 1000)
    percent = round(100 * done / total) if total else 0
    words = video.get_state_display()
    if video.state == Video.State.ENCODING:
        words = f"Encoding, {done:.0f} of {total:.0f} s"
    elif video.problem:
        words = f"{words}: {video.problem}"
    return Progress(video.state, done, total, percent, None, words)
