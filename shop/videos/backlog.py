"""How much video waits to be encoded, so that no more is accepted than can be encoded in time.

The backlog is measured in time: how long the encoders need for all that has arrived and all that was announced. Videos
that were probed count by their length; the others by their size, converted into time as the latest videos were. How
fast the encoders are is learnt from those too. A file is refused because of what is in front of it, never because of
its own size, so an idle shop accepts everything.
"""

import math
from typing import LiteralString

from django.conf import settings

from orders import sql
from shop.videos.refusals import BacklogFull

# Assumed while nothing was encoded yet: 8 Mbit/s, encoded as fast as it plays.
BYTES_A_SECOND = 1_000_000.0
SPEED = 1.0  # seconds of video in a second
# One odd video, all black or of a single frame, must not spoil the estimate.
_BYTES_BOUNDS = (50_000.0, 20_000_000.0)
_SPEED_BOUNDS = (0.05, 100.0)
SOONEST = 60  # seconds; nobody is asked to come back earlier

# Bytes a second, and seconds of video encoded a second, of the latest published videos.
_LATEST: LiteralString = """
SELECT sum(size) / nullif(sum(duration_ms), 0) * 1000,
       sum(duration_ms) / nullif(sum(extract(epoch FROM published_at - started_at)) * 1000, 0)
FROM (
    SELECT size, duration_ms, started_at, published_at FROM videos_video
    WHERE published_at IS NOT NULL AND started_at IS NOT NULL AND duration_ms > 0
    ORDER BY published_at DESC LIMIT 10
) AS latest
"""
# What waits: bytes that are not probed yet, and milliseconds that are not encoded yet. Segment 0, the sound, takes next
# to no time.
_WAITING: LiteralString = """
SELECT (SELECT coalesce(sum(size), 0) FROM videos_upload)
           + coalesce(sum(size) FILTER (WHERE duration_ms IS NULL), 0),
       coalesce(sum(CASE WHEN cut THEN rest_ms ELSE duration_ms END) FILTER (WHERE duration_ms IS NOT NULL), 0)
FROM videos_video
CROSS JOIN LATERAL (
    SELECT count(*) > 0 AS cut,
           coalesce(sum(greatest(end_ms - start_ms - encoded_ms, 0)) FILTER (WHERE done_at IS NULL), 0) AS rest_ms
    FROM videos_segment WHERE video_id = videos_video.id AND number > 0
) AS segments
WHERE state IN ('waiting', 'encoding', 'joining')
"""


def seconds() -> float:
    """How long the encoders will be busy with all that waits."""
    [(measured_bytes, measured_speed)] = sql.rows(_LATEST, {})
    [(bytes_waiting, ms_waiting)] = sql.rows(_WAITING, {})
    length = (
        float(bytes_waiting) / _within(_BYTES_BOUNDS, measured_bytes, BYTES_A_SECOND)
        + float(ms_waiting) / 1000
    )
    return length / _within(_SPEED_BOUNDS, measured_speed, SPEED)


def check_room() -> None:
    """Raise BacklogFull, which says when to come back, while too much waits."""
    waiting, limit = seconds(), settings.VIDEO_BACKLOG_HOURS * 3600.0
    if waiting >= limit:
        retry_after = max(SOONEST, math.ceil(waiting - limit) + 1)
        raise BacklogFull(
            f"So much video waits ({_in_words(waiting)} of work) that no more is accepted at the moment. "
            f"Come back in {_in_words(retry_after)}.",
            retry_after,
        )


def _in_words(seconds: float) -> str:
    """About how long: "a minute", "12 minutes", "about 3 hours"."""
    minutes = max(1, round(seconds / 60))
    if minutes < 90:
        return "a minute" if minutes == 1 else f"{minutes} minutes"
    return f"about {round(minutes / 60)} hours"


def _within(bounds: tuple[float, float], measured: object, otherwise: float) -> float:
    return otherwise if measured is None else min(max(float(str(measured)), bounds[0]), bounds[1])
