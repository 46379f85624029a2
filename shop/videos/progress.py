"""How far a video is, to the second, and when it will be ready: for people who wait.

The estimate is simple: the rest takes as long for each second as what was encoded since the start, waiting included.
There is none before enough was encoded to judge by.
"""

from dataclasses import dataclass
from typing import LiteralString

from orders import sql
from shop.videos.models import Video

_ENOUGH_MS = 1_000  # encoded; before it the estimate would jump

# Milliseconds encoded, in all, and encoded since the start; and seconds since the start.
_ENCODED: LiteralString = """
SELECT coalesce(sum(s.encoded_ms), 0)::bigint, coalesce(sum(s.end_ms - s.start_ms), 0)::bigint,
       coalesce(sum(s.encoded_ms) FILTER (WHERE s.done_at IS NULL OR s.done_at >= v.started_at), 0)::bigint,
       extract(epoch FROM now() - v.started_at)::float
FROM videos_video v LEFT JOIN videos_segment s ON s.video_id = v.id AND s.number > 0
WHERE v.id = %(id)s GROUP BY v.id
"""


@dataclass(frozen=True, slots=True)
class Progress:
    """`done` and `total` are seconds of video; `estimate` is in seconds, None when unknown; `words` are for people."""

    state: str
    done: int
    total: int
    percent: int
    estimate: int | None
    words: str


def progress_of(video: Video) -> Progress:
    """How far this video is now."""
    state = Video.State(video.state)
    if state not in Video.UNDER_WAY:
        percent = 100 if state in (Video.State.PUBLISHED, Video.State.REPLACED) else 0
        seconds = (video.duration_ms or 0) // 1_000
        words = f"{state.label}. {video.problem}".strip() if video.problem else state.label
        return Progress(state, seconds if percent else 0, seconds, percent, None, words)
    [(done_ms, total_ms, recent_ms, since)] = sql.rows(_ENCODED, {"id": video.pk})
    if state is Video.State.JOINING:
        seconds = total_ms // 1_000
        return Progress(state, seconds, seconds, 99, None, "Encoded, being put together")
    if state is Video.State.WAITING or not total_ms:
        return Progress(state, 0, 0, 0, None, "Uploaded, waiting to be looked at")
    estimate = None
    if recent_ms >= _ENOUGH_MS and since:
        estimate = max(1, round((total_ms - done_ms) * since / recent_ms))
    done, total = done_ms // 1_000, -(-total_ms // 1_000)
    words = f"Encoding, {done} of {total} s"
    if estimate is not None:
        words += f", about {_roughly(estimate)} left"
    return Progress(state, done, total, min(98, done_ms * 98 // total_ms), estimate, words)


def _roughly(seconds: int) -> str:
    """Rounded as people say it: 35 s, 12 min, 2 h 5 min."""
    if seconds < 100:
        return f"{max(5, round(seconds / 5) * 5)} s"
    minutes = round(seconds / 60)
    if minutes < 90:
        return f"{minutes} min"
    return f"{minutes // 60} h {minutes % 60} min"
