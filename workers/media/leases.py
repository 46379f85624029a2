"""Holding a row: whoever probes, encodes, joins or clears does it under a name that was drawn for that one time.

Taking is one conditional statement: it finds the row free, or its lease run out, or nothing. From then on every write
is conditional on the name, so whoever was late, doubled or frozen for a while changes nothing. A beat each second moves
the end of the lease, writes down how far the work is, and learns that it is not wanted any more: no row was changed.

A row that was taken MAX_ATTEMPTS times and whose holder never came back with an answer kills its workers, and is set
apart (workers.relay.media). Whoever does come back says how: finished, once more at a given time, or not counted.
"""

import time
from collections.abc import Collection
from datetime import datetime, timedelta
from typing import Any, ClassVar, LiteralString
from uuid import UUID, uuid4

from django.db import transaction

from orders import scheduling, sql
from shop.videos.models import Segment, Video

LEASE = timedelta(seconds=15)
MAX_ATTEMPTS = 3
# Orders that nobody took up for so long are more than the pipeline carries: all processors are theirs.
_ORDERS_WAIT = timedelta(seconds=1)

_TAKE_SEGMENT: LiteralString = """
UPDATE videos_segment s
SET holder = %(holder)s, due_at = now() + %(lease)s, attempts = s.attempts + 1, attempts_total = s.attempts_total + 1,
    encoded_ms = 0
FROM videos_video v
WHERE s.id = %(id)s AND v.id = s.video_id AND v.state = ANY(%(states)s) AND s.done_at IS NULL
  AND (s.holder IS NULL OR s.due_at <= now())
"""
_BEAT_SEGMENT: LiteralString = """
UPDATE videos_segment s SET due_at = now() + %(lease)s, encoded_ms = greatest(s.encoded_ms, %(done_ms)s)
FROM videos_video v
WHERE s.id = %(id)s AND s.holder = %(holder)s AND v.id = s.video_id AND v.state = ANY(%(states)s)
"""
_COUNT_ENCODE: LiteralString = """
UPDATE videos_segment SET encodes = encodes + 1 WHERE id = %(id)s AND holder = %(holder)s AND done_at IS NULL
"""
# Those who finish segments of one video do so one after the other: the last one then sees that it is the last.
_LOCK_VIDEO: LiteralString = "SELECT id FROM videos_video WHERE id = %(video)s FOR NO KEY UPDATE"
_FINISH_SEGMENT: LiteralString = """
UPDATE videos_segment
SET done_at = now(), due_at = NULL, holder = NULL, attempts = 0, encoded_ms = end_ms - start_ms
WHERE id = %(id)s AND holder = %(holder)s AND done_at IS NULL
"""
_JOIN_IF_ALL_DONE: LiteralString = """
UPDATE videos_video SET state = 'joining', due_at = now(), attempts = 0
WHERE id = %(video)s AND state = 'encoding'
  AND NOT EXISTS (SELECT FROM videos_segment WHERE video_id = %(video)s AND done_at IS NULL)
"""
_GIVE_BACK_SEGMENT: LiteralString = """
UPDATE videos_segment
SET holder = NULL, due_at = coalesce(%(at)s, now()), encoded_ms = 0,
    attempts = CASE WHEN %(counted)s THEN 0 ELSE greatest(attempts - 1, 0) END,
    attempts_total = attempts_total - CASE WHEN %(counted)s THEN 0 ELSE 1 END
WHERE id = %(id)s AND holder = %(holder)s
"""

_TAKE_VIDEO: LiteralString = """
UPDATE videos_video
SET holder = %(holder)s, due_at = now() + %(lease)s, attempts = attempts + 1, attempts_total = attempts_total + 1,
    started_at = coalesce(started_at, now())
WHERE id = %(id)s AND state = ANY(%(states)s) AND (holder IS NULL OR due_at <= now()) AND due_at IS NOT NULL
"""
_BEAT_VIDEO: LiteralString = """
UPDATE videos_video SET due_at = now() + %(lease)s
WHERE id = %(id)s AND holder = %(holder)s AND state = ANY(%(states)s)
"""
_GIVE_BACK_VIDEO: LiteralString = """
UPDATE videos_video
SET holder = NULL, due_at = coalesce(%(at)s, now()),
    attempts = CASE WHEN %(counted)s THEN 0 ELSE greatest(attempts - 1, 0) END,
    attempts_total = attempts_total - CASE WHEN %(counted)s THEN 0 ELSE 1 END
WHERE id = %(id)s AND holder = %(holder)s
"""


class Lost(Exception):
    """The row is not ours any more: its video was cancelled or failed, or our lease had run out."""


class Lease:
    """One row in hand, until it is finished, given back or lost."""

    _TAKE: ClassVar[LiteralString]
    _BEAT: ClassVar[LiteralString]
    _GIVE_BACK: ClassVar[LiteralString]

    def __init__(self, row_id: int, states: Collection[Video.State]) -> None:
        self.id, self.holder = row_id, uuid4()
        self.done_ms = 0
        self._states = [state.value for state in states]
        self._beaten = self._valid_until = 0.0

    @property
    def valid_until(self) -> float:
        """Until when (time.monotonic) the row is surely ours; counted from before we asked."""
        return self._valid_until

    def take(self) -> bool:
        """Whether the row is ours now; False for a message that came late, doubled or for what is not wanted."""
        return self._hold(self._TAKE)

    def beat(self) -> bool:
        """The lease begins anew; returns whether orders wait, for which its work is to stand still. Raises Lost."""
        if not self._hold(self._BEAT):
            raise Lost(f"row {self.id} has another holder, or is not wanted any more")
        return scheduling.are_waiting(_ORDERS_WAIT)

    def tick(self) -> None:
        """Beat if it is time to. Raises Lost."""
        if time.monotonic() - self._beaten >= 1:
            self.beat()

    def give_back(self, at: datetime | None = None, *, counted: bool = False) -> None:
        """Let go of the row, which is due again at this time, or now. `counted`: something was tried, and failed."""
        sql.count(self._GIVE_BACK, {**self.mine, "at": at, "counted": counted})

    @property
    def mine(self) -> dict[str, int | UUID]:
        """What every write of a holder is conditional on."""
        return {"id": self.id, "holder": self.holder}

    def _hold(self, statement: LiteralString) -> bool:
        asked = time.monotonic()
        more: dict[str, Any] = {"lease": LEASE, "states": self._states, "done_ms": self.done_ms}
        if not sql.count(statement, {**self.mine, **more}):
            return False
        self._beaten, self._valid_until = asked, asked + LEASE.total_seconds()
        return True


class SegmentLease(Lease):
    _TAKE, _BEAT, _GIVE_BACK = _TAKE_SEGMENT, _BEAT_SEGMENT, _GIVE_BACK_SEGMENT

    def __init__(self, segment_id: int) -> None:
        super().__init__(segment_id, [Video.State.ENCODING])

    def begin_encoding(self) -> None:
        """Count that it is encoded. Raises Lost."""
        if not sql.count(_COUNT_ENCODE, self.mine):
            raise Lost(f"segment {self.id} has another holder")

    def finish(self, segment: Segment) -> None:
        """Mark it as done for good; with the last one its video is due to be joined. Raises Lost."""
        with transaction.atomic():
            sql.rows(_LOCK_VIDEO, {"video": segment.video_id})
            if not sql.count(_FINISH_SEGMENT, self.mine):
                raise Lost(f"{segment} has another holder")
            join_if_all_done(segment.video_id)


class VideoLease(Lease):
    _TAKE, _BEAT, _GIVE_BACK = _TAKE_VIDEO, _BEAT_VIDEO, _GIVE_BACK_VIDEO


def join_if_all_done(video_id: int) -> None:
    """Have the video joined if no segment is left; for whoever has locked its row."""
    sql.count(_JOIN_IF_ALL_DONE, {"video": video_id})
