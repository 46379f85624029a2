"""The relay's part in videos: rings for what is due of them, the shortest work first.

Only so many messages wait in the queue `media` as its processes will soon take. The rest waits in the database, where
its order can still change: a video of a minute that comes while one of four hours is made goes before the rest of it.

What is rung for is not looked at again for RUNG, nor counted: whoever takes the row counts (workers.media.leases), so a
message that waits, is lost or is doubled costs nothing.
"""

import logging
from dataclasses import dataclass
from datetime import timedelta
from time import monotonic
from typing import LiteralString

from celery import group
from kombu.exceptions import OperationalError as BrokerError
from redis.exceptions import RedisError

from orders import sql
from shop.videos.models import Video
from workers.broker import Broker
from workers.media import runner, tasks
from workers.media.leases import MAX_ATTEMPTS
from workers.queues import QueueName

log = logging.getLogger(__name__)

LOOK = 0.2  # seconds between looks
WAITING = 4  # messages that may wait in the queue
RUNG = timedelta(seconds=10)
CLEARED_A_LOOK = 20

_ANY_DUE: LiteralString = """
SELECT EXISTS (SELECT FROM videos_video WHERE due_at <= now()),
       EXISTS (SELECT FROM videos_segment s JOIN videos_video v ON v.id = s.video_id
               WHERE s.due_at <= now() AND v.state = 'encoding')
"""
# Joins before probes, for they end something; then the smaller file. Sorted once more at the end: an UPDATE returns its
# rows as it comes by them.
_CLAIM_VIDEOS: LiteralString = """
WITH due AS MATERIALIZED (
    SELECT id FROM videos_video WHERE due_at <= now() AND (state IN ('waiting', 'joining')) = %(under_way)s
    ORDER BY state, size, id LIMIT %(limit)s FOR NO KEY UPDATE SKIP LOCKED
), claimed AS (
    UPDATE videos_video v SET due_at = now() + %(rung)s, holder = NULL FROM due WHERE v.id = due.id
    RETURNING v.id, v.state, v.attempts, v.size
)
SELECT id, state, attempts, id FROM claimed ORDER BY state, size, id
"""
# Of the video with the least left to encode, the earliest first.
_CLAIM_SEGMENTS: LiteralString = """
WITH unfinished AS (
    SELECT s.video_id, sum(s.end_ms - s.start_ms - s.encoded_ms) AS ms
    FROM videos_segment s JOIN videos_video v ON v.id = s.video_id
    WHERE s.due_at IS NOT NULL AND v.state = 'encoding'
    GROUP BY s.video_id
), due AS MATERIALIZED (
    SELECT d.id, unfinished.ms FROM videos_segment d JOIN unfinished USING (video_id) WHERE d.due_at <= now()
    ORDER BY unfinished.ms, d.video_id, d.number LIMIT %(limit)s FOR NO KEY UPDATE OF d SKIP LOCKED
), claimed AS (
    UPDATE videos_segment s SET due_at = now() + %(rung)s, holder = NULL FROM due WHERE s.id = due.id
    RETURNING s.id, s.attempts, s.video_id, s.number, due.ms
)
SELECT id, 'encoding', attempts, video_id FROM claimed ORDER BY ms, video_id, number
"""
_TAKE_BACK_VIDEOS: LiteralString = """
UPDATE videos_video SET due_at = now() WHERE id = ANY(%(ids)s) AND holder IS NULL AND due_at > now()
"""
_TAKE_BACK_SEGMENTS: LiteralString = """
UPDATE videos_segment SET due_at = now() WHERE id = ANY(%(ids)s) AND holder IS NULL AND due_at > now()
"""


class NeverBack(Exception):
    """A piece of work was taken several times, and no worker came back with an answer."""


@dataclass(frozen=True, slots=True)
class Due:
    """A row that was claimed: a video's by its state, or a segment's."""

    id: int
    state: str
    attempts: int
    video: int

    @property
    def task(self) -> str:
        return {
            Video.State.WAITING.value: runner.PROBE,
            Video.State.ENCODING.value: runner.ENCODE,
            Video.State.JOINING.value: runner.JOIN,
        }.get(self.state, runner.CLEAR)


class Media:
    """Rings for videos; the relay calls `turn` at each of its own turns."""

    def __init__(self, broker: Broker) -> None:
        self._broker = broker
        self._look_at = 0.0

    def turn(self) -> None:
        """Look, if it is time to. Raises Django's OperationalError and redis.RedisError."""
        if monotonic() < self._look_at:
            return
        self._look_at = monotonic() + LOOK
        [(videos, segments)] = sql.rows(_ANY_DUE, {})
        if not videos and not segments:
            return
        room = WAITING - self._broker.length(QueueName.MEDIA)
        if videos:
            self._ring(_claim(_CLAIM_VIDEOS, CLEARED_A_LOOK, under_way=False))
        if videos and room > 0:
            room -= self._ring(_claim(_CLAIM_VIDEOS, room, under_way=True))
        if segments and room > 0:
            self._ring(_claim(_CLAIM_SEGMENTS, room))

    def _ring(self, due: list[Due]) -> int:
        """Ring for these, but for those that kill their workers; returns for how many."""
        wanted = [one for one in due if one.attempts < MAX_ATTEMPTS]
        for one in due:
            if one.attempts >= MAX_ATTEMPTS:
                log.warning("%s of V-%d was taken %d times in vain.", one.task, one.video, one.attempts)
                found = NeverBack(f"taken {MAX_ATTEMPTS} times, and no worker came back with an answer")
                runner.give_up(one.task, one.video, found)
        try:
            if wanted:
                group(_RINGS[one.task].si(one.id) for one in wanted).apply_async()
        except (BrokerError, RedisError):
            for statement, is_segment in ((_TAKE_BACK_VIDEOS, False), (_TAKE_BACK_SEGMENTS, True)):
                ids = [one.id for one in wanted if (one.task == runner.ENCODE) == is_segment]
                sql.count(statement, {"ids": ids})
            raise
        return len(wanted)


_RINGS = {
    runner.PROBE: tasks.probe,
    runner.ENCODE: tasks.encode,
    runner.JOIN: tasks.join,
    runner.CLEAR: tasks.clear,
}


def _claim(statement: LiteralString, limit: int, **more: bool) -> list[Due]:
    return [Due(*row) for row in sql.rows(statement, {"limit": limit, "rung": RUNG, **more})]
