"""The kinds of work on videos, and their leases (orders.lease): held by whoever probes, encodes, joins or clears.

A beat each second renews the lease, writes down how far the work is, and says whether orders wait, for which the work
pauses. Each kind says which of its rows go first: of segments those of the video with the least left to encode, so a
video of a minute need not wait for one of four hours.
"""

import time
from datetime import timedelta
from typing import Any, LiteralString

from django.db import transaction

from orders import scheduling, sql
from orders.lease import DUE_NOW, ENDED, Lease, LeaseLost, Table
from shop.videos.models import Segment, Video

_LEASE, _DISPATCH = timedelta(seconds=15), timedelta(seconds=10)
# When orders are due for so long there are too many of them, and they get all processors.
_ORDERS_WAIT = timedelta(seconds=1)


def _videos(wanted: LiteralString) -> Table:
    due: LiteralString = """
    SELECT id, ROW(size, id) AS place FROM videos_video r WHERE due_at <= now() AND $wanted ORDER BY size, id
    """
    return Table(
        "videos_video",
        due=sql.compose(due, wanted=wanted),
        wanted=wanted,
        on_take=", started_at = coalesce(started_at, now())",
        lease=_LEASE,
        dispatch=_DISPATCH,
    )


PROBES = _videos("state = 'waiting'")
JOINS = _videos("state = 'joining'")
CLEARINGS = _videos("state IN ('published', 'replaced', 'removed', 'refused', 'cancelled')")
ENCODINGS = Table(
    "videos_segment",
    due="""
    SELECT r.id, ROW(unfinished.ms, r.video_id, r.number) AS place
    FROM videos_segment r JOIN (
        SELECT s.video_id, sum(s.end_ms - s.start_ms - s.encoded_ms) AS ms
        FROM videos_segment s JOIN videos_video v ON v.id = s.video_id
        WHERE s.due_at IS NOT NULL AND v.state = 'encoding'
        GROUP BY s.video_id
    ) AS unfinished ON unfinished.video_id = r.video_id
    WHERE r.due_at <= now() ORDER BY unfinished.ms, r.video_id, r.number
    """,
    wanted="""
    r.done_at IS NULL AND EXISTS (SELECT FROM videos_video v WHERE v.id = r.video_id AND v.state = 'encoding')
    """,
    on_take=", encoded_ms = 0",
    on_renew=", encoded_ms = greatest(encoded_ms, %(done_ms)s)",
    on_release=", encoded_ms = 0",
    lease=_LEASE,
    dispatch=_DISPATCH,
)

# Whether anything is due of any video: the cheap question of a shop without new ones.
_ANY_DUE: LiteralString = """
SELECT EXISTS (SELECT FROM videos_video WHERE due_at <= now()) OR EXISTS (
    SELECT FROM videos_segment s JOIN videos_video v ON v.id = s.video_id
    WHERE s.due_at <= now() AND v.state = 'encoding')
"""
# An encoder is begun; the admin shows how often.
_COUNT_ENCODE: LiteralString = """
UPDATE videos_segment SET encodes = encodes + 1 WHERE id = %(id)s AND holder = %(holder)s AND done_at IS NULL
"""
# Segments of one video are finished one after the other, so that the last one knows that it is the last.
_LOCK_VIDEO: LiteralString = "SELECT id FROM videos_video WHERE id = %(video)s FOR NO KEY UPDATE"
# The segment's files are complete.
_FINISH_SEGMENT: LiteralString = sql.compose(
    """
UPDATE videos_segment SET done_at = now(), encoded_ms = end_ms - start_ms, $ended
WHERE id = %(id)s AND holder = %(holder)s AND done_at IS NULL
""",
    ended=ENDED,
)
# The video is due to be joined when no segment is left to encode.
_JOIN_IF_ALL_DONE: LiteralString = sql.compose(
    """
UPDATE videos_video SET state = 'joining', $due_now
WHERE id = %(video)s AND state = 'encoding'
  AND NOT EXISTS (SELECT FROM videos_segment WHERE video_id = %(video)s AND done_at IS NULL)
""",
    due_now=DUE_NOW,
)


def any_due() -> bool:
    """Whether any kind of work on videos is due."""
    return bool(sql.rows(_ANY_DUE, {})[0][0])


class MediaLease(Lease):
    """One video or segment in hand. `done_ms` is how far its encoder has come, for the next beat."""

    def __init__(self, kind: Table, row_id: int) -> None:
        super().__init__(kind, [row_id])
        self.id, self.done_ms, self._beaten = row_id, 0, 0.0

    def beat(self) -> bool:
        """Renew; returns whether orders wait, for which the work is to pause. Raises LeaseLost."""
        self._beaten = time.monotonic()
        self.renew(done_ms=self.done_ms)
        return scheduling.any_due(_ORDERS_WAIT)

    def tick(self) -> None:
        """Beat if a second has passed since the last one. Raises LeaseLost."""
        if time.monotonic() - self._beaten >= 1:
            self.beat()

    @property
    def mine(self) -> dict[str, Any]:
        """What every write of a holder is conditional on."""
        return {"id": self.id, "holder": self.holder}


class SegmentLease(MediaLease):
    def __init__(self, segment_id: int) -> None:
        super().__init__(ENCODINGS, segment_id)

    def begin_encoding(self) -> None:
        """Count that it is encoded. Raises LeaseLost."""
        if not sql.count(_COUNT_ENCODE, self.mine):
            raise LeaseLost(f"segment {self.id} has another holder")

    def finish(self, segment: Segment) -> None:
        """Mark it as done for good; with the last one its video is due to be joined. Raises LeaseLost."""
        with transaction.atomic():
            sql.rows(_LOCK_VIDEO, {"video": segment.video_id})
            if not sql.count(_FINISH_SEGMENT, self.mine):
                raise LeaseLost(f"{segment} has another holder")
            join_if_all_done(segment.video_id)


def join_if_all_done(video_id: int) -> None:
    """Have the video joined if no segment is left. Lock its row first."""
    sql.count(_JOIN_IF_ALL_DONE, {"video": video_id})


def row_of(lease: MediaLease) -> Video:
    """The video of the lease. Raises DoesNotExist."""
    if isinstance(lease, SegmentLease):
        return Segment.objects.select_related("video").get(pk=lease.id).video
    return Video.objects.get(pk=lease.id)
