"""What every task of the pool does around its work: take the row, and deal with what goes wrong.

The four kinds of failure, never mixed: the video is bad (refused, with a reason for people), it may pass (tried again
at a time), our own house is down or this worker must stop (given back, uncounted), a bug (failed, with a dead letter).
A row that is not ours any more is left alone.
"""

import contextlib
import logging
from collections.abc import Callable
from time import monotonic, sleep
from typing import LiteralString

from django.db import close_old_connections, transaction

from orders import sql
from orders.providers.failures import Transient
from shop.videos.models import Segment, Video
from workers import deadletters
from workers.media import pipeline
from workers.media.ffmpeg import BadVideo
from workers.media.leases import Lease, Lost, SegmentLease, VideoLease
from workers.media.sandboxed import Orphaned
from workers.retry import HOUSE, OUR_HOUSE, GiveUp, policy_of

log = logging.getLogger(__name__)

PROBE, ENCODE, JOIN, CLEAR = "media.probe", "media.encode", "media.join", deadletters.CLEAR_VIDEO
_HOUSE_PATIENCE = 10.0  # seconds that a worker waits for its database to give a row back

_REFUSE: LiteralString = """
UPDATE videos_video
SET state = 'refused', problem = %(why)s, ended_at = now(), holder = NULL, due_at = now(), attempts = 0
WHERE id = %(video)s AND state IN ('waiting', 'encoding', 'joining')
"""
_FAIL: LiteralString = """
UPDATE videos_video
SET state = 'failed', problem = %(why)s, ended_at = now(), holder = NULL, due_at = NULL, attempts = 0
WHERE id = %(video)s AND state IN ('waiting', 'encoding', 'joining')
"""
# Nothing looks at these until the video is tried again.
_SHELVE: LiteralString = """
UPDATE videos_segment SET due_at = NULL WHERE video_id = %(video)s AND done_at IS NULL AND holder IS NULL
"""
_LEAVE_UNCLEARED: LiteralString = "UPDATE videos_video SET holder = NULL, due_at = NULL WHERE id = %(video)s"
_LOOK_AGAIN: LiteralString = """
UPDATE videos_video SET holder = NULL, attempts = 0, due_at = now() + interval '0.2 s'
WHERE id = %(id)s AND holder = %(holder)s
"""


def probe(video_id: int) -> None:
    lease = VideoLease(video_id, [Video.State.WAITING])
    _perform(PROBE, lease, lambda: pipeline.probe(_video(video_id), lease), video_id)


def encode(segment_id: int) -> None:
    lease = SegmentLease(segment_id)
    segment = Segment.objects.select_related("video").filter(pk=segment_id).first()
    if segment:
        _perform(ENCODE, lease, lambda: pipeline.encode(segment, lease), segment.video_id)


def join(video_id: int) -> None:
    lease = VideoLease(video_id, [Video.State.JOINING])
    _perform(JOIN, lease, lambda: pipeline.join(_video(video_id), lease), video_id)


def clear(video_id: int) -> None:
    ended = [state for state in Video.State if state not in Video.UNDER_WAY and state != Video.State.FAILED]
    lease = VideoLease(video_id, ended)

    def work() -> None:
        if not pipeline.clear(_video(video_id), lease):
            sql.count(_LOOK_AGAIN, lease.mine)

    _perform(CLEAR, lease, work, video_id)


def give_up(task: str, video_id: int, error: BaseException) -> None:
    """Let the video fail, with a dead letter; or, where it is over already, leave its files to a person."""
    with transaction.atomic():
        if task == CLEAR:
            sql.count(_LEAVE_UNCLEARED, {"video": video_id})
        elif not sql.count(_FAIL, {"video": video_id, "why": _for_people(error)}):
            return  # it was cancelled meanwhile
        sql.count(_SHELVE, {"video": video_id})
        deadletters.bury_video(task, video_id, error)


def _perform(task: str, lease: Lease, work: Callable[[], None], video_id: int) -> None:
    if not lease.take():
        return
    try:
        work()
    except Lost as lost:
        log.info("%s of V-%d stops: %s", task, video_id, lost)
        _give_back(lease)
    except BadVideo as bad:
        sql.count(_REFUSE, {"video": video_id, "why": str(bad)})
        _give_back(lease)
    except OUR_HOUSE:
        _give_back(lease)
        raise
    except FileNotFoundError as error:
        _give_up(task, lease, video_id, error)
    except (Transient, OSError) as error:
        _try_again(task, lease, video_id, error)
    except Orphaned as error:
        log.warning("%s of V-%d stops: %s", task, video_id, error)
        _give_back(lease)
    except Exception as error:
        _give_up(task, lease, video_id, error)
    except BaseException:  # this process was told to end
        with contextlib.suppress(*OUR_HOUSE):
            lease.give_back()
        raise


def _give_up(task: str, lease: Lease, video_id: int, error: Exception) -> None:
    log.error("%s of V-%d failed", task, video_id, exc_info=error)
    give_up(task, video_id, error)
    _give_back(lease)


def _try_again(task: str, lease: Lease, video_id: int, error: Exception) -> None:
    """A full disk, a time that was up: at a later time, until the policy of the queue has had enough."""
    table = Segment if isinstance(lease, SegmentLease) else Video
    row = table.objects.get(pk=lease.id)
    video = row.video if isinstance(row, Segment) else row
    passing = error if isinstance(error, Transient) else Transient(str(error))
    decision = policy_of(ENCODE).decide(passing, max(1, row.attempts_total), video.started_at)
    if isinstance(decision, GiveUp):
        _give_up(task, lease, video_id, error)
        return
    log.warning("%s of V-%d is tried again at %s: %s", task, video_id, decision.at, error)
    lease.give_back(decision.at, counted=True)


def _give_back(lease: Lease) -> None:
    """Let go of the row, uncounted, as soon as there is somebody to give it to; else its lease runs out."""
    until, attempt = monotonic() + _HOUSE_PATIENCE, 1
    while True:
        close_old_connections()
        try:
            lease.give_back()
            return
        except OUR_HOUSE as error:
            if monotonic() > until:
                log.warning("Row %d could not be given back: %s", lease.id, error)
                return
        sleep(HOUSE.longest(attempt))
        attempt += 1


def _video(video_id: int) -> Video:
    return Video.objects.get(pk=video_id)


def _for_people(error: BaseException) -> str:
    why = type(error).__name__
    return (
        f"It could not be made, and the operators have been told why ({why}). The file is kept: try it again."
    )
