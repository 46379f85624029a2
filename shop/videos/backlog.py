"""How much video waits, so that no more is taken than can be worked off: whoever comes too late is told when to come.

The measure is time: how long the encoders would be busy with all that has arrived, and all that was announced and is
still coming in. What the probe has looked at counts with its length, the rest with its size, turned into time as the
last videos were; how fast the house encodes is learnt from them too. A file is refused because of what is in front of
it, never because of its own size, so an idle house takes everything.
"""

import math
from dataclasses import dataclass
from typing import LiteralString

from django.conf import settings

from orders import sql
from shop.videos.refusals import BacklogFull

# What is assumed of a house that has encoded nothing yet: 8 Mbit/s, and as long as it plays.
BYTES_A_SECOND = 1_000_000.0
SPEED = 1.0  # seconds of video in a second
# One odd video, all black or of one frame, must not turn the estimate into nonsense.
_BYTES_BOUNDS = (50_000.0, 20_000_000.0)
_SPEED_BOUNDS = (0.05, 100.0)
SOONEST = 60  # seconds; nobody is asked back earlier

_LATELY: LiteralString = """
SELECT sum(size) / nullif(sum(duration_ms), 0) * 1000,
       sum(duration_ms) / nullif(sum(extract(epoch FROM published_at - started_at)) * 1000, 0)
FROM (
    SELECT size, duration_ms, started_at, published_at FROM videos_video
    WHERE published_at IS NOT NULL AND started_at IS NOT NULL AND duration_ms > 0
    ORDER BY published_at DESC LIMIT 10
) AS latest
"""
# Of a video in segments only what is not encoded yet; number 0 is the sound, which takes next to nothing.
_WAITING: LiteralString = """
SELECT (SELECT count(*) FROM videos_upload),
       (SELECT coalesce(sum(size), 0) FROM videos_upload),
       count(*),
       coalesce(sum(size) FILTER (WHERE duration_ms IS NULL), 0),
       coalesce(sum(CASE WHEN cut THEN rest_ms ELSE duration_ms END) FILTER (WHERE duration_ms IS NOT NULL), 0)
FROM videos_video
CROSS JOIN LATERAL (
    SELECT count(*) > 0 AS cut,
           coalesce(sum(greatest(end_ms - start_ms - encoded_ms, 0)) FILTER (WHERE done_at IS NULL), 0) AS rest_ms
    FROM videos_segment WHERE video_id = videos_video.id AND number > 0
) AS segments
WHERE state IN ('waiting', 'encoding', 'joining')
"""


@dataclass(frozen=True)
class Room:
    """What waits before a new upload; times in seconds."""

    uploads: int  # coming in
    videos: int  # under way
    seconds: float  # that the encoders will be busy with them
    limit: float

    @property
    def full(self) -> bool:
        return self.seconds >= self.limit

    @property
    def retry_after(self) -> int:
        """Seconds until there should be room; 0 when there is."""
        return max(SOONEST, math.ceil(self.seconds - self.limit) + 1) if self.full else 0


def room() -> Room:
    """What waits now."""
    [(measured_bytes, measured_speed)] = sql.rows(_LATELY, {})
    bytes_a_second = _within(_BYTES_BOUNDS, measured_bytes, BYTES_A_SECOND)
    speed = _within(_SPEED_BOUNDS, measured_speed, SPEED)
    [(uploads, coming, videos, unseen, rest_ms)] = sql.rows(_WAITING, {})
    length = (float(coming) + float(unseen)) / bytes_a_second + float(rest_ms) / 1000
    return Room(uploads, videos, length / speed, settings.VIDEO_BACKLOG_HOURS * 3600.0)


def check_room() -> None:
    """Refuse what comes while too much waits, and say when there will be room."""
    found = room()
    if found.full:
        raise BacklogFull(
            f"So much video waits ({in_words(found.seconds)} of work) that no more is taken at the moment. "
            f"Come back in {in_words(found.retry_after)}.",
            found.retry_after,
        )


def in_words(seconds: float) -> str:
    """About how long: "a minute", "12 minutes", "about 3 hours"."""
    minutes = max(1, round(seconds / 60))
    if minutes < 90:
        return "a minute" if minutes == 1 else f"{minutes} minutes"
    return f"about {round(minutes / 60)} hours"


def _within(bounds: tuple[float, float], measured: object, otherwise: float) -> float:
    if measured is None:
        return otherwise
    return min(max(float(str(measured)), bounds[0]), bounds[1])
