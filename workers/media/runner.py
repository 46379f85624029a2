"""What every task of the pool does around its work: take the row, and deal with failures.

There are four kinds: the video is bad (it is refused, with a reason for people), the failure may pass (tried again
later), our own database or broker is down or this worker must stop (released, uncounted), a bug (the video fails, with
a dead letter). A row that is not ours any more is left alone.
"""

import logging
from collections.abc import Callable, Collection
from typing import LiteralString

from django.db import transaction

from orders import sql
from orders.lease import ENDED, LeaseLost, Poison
from orders.providers.failures import Transient
from shop.videos.models import Segment, Video
from workers import deadletters
from workers.leased import holding
from workers.media import pipeline
from workers.media.ffmpeg import BadVideo
from workers.media.leases import CLEARINGS, JOINS, PROBES, MediaLease, SegmentLease, row_of
from workers.media.sandboxed import Orphaned
from workers.queues import QueueName
from workers.retry import INFRASTRUCTURE_DOWN, POLICIES

log = logging.getLogger(__name__)

PROBE, ENCODE, JOIN, CLEAR = "media.probe", "media.encode", "media.join", deadletters.CLEAR_VIDEO

# The video ends in this state, with a reason for people; a refused one is due to be cleared away.
_END: LiteralString = """
UPDATE videos_video
SET state = %(state)s::text, problem = %(why)s, ended_at = now(), holder = NULL, attempts = 0, failures = 0,
    due_at = CASE %(state)s::text WHEN 'refused' THEN now() END
WHERE id = %(video)s AND state IN ('waiting', 'encoding', 'joining')
"""
# Its segments are not due until the video is tried again.
_STOP_SEGMENTS: LiteralString = """
UPDATE videos_segment SET due_at = NULL WHERE video_id = %(video)s AND done_at IS NULL AND holder IS NULL
"""
# The video's files stay until a person decides.
_STOP_CLEARING: LiteralString = sql.compose(
    "UPDATE videos_video SET $ended WHERE id = %(video)s", ended=ENDED
)
# A worker still has one of its segments: clear the video a little later.
_LOOK_AGAIN: LiteralString = """
UPDATE videos_video SET holder = NULL, attempts = 0, due_at = now() + interval '0.2 s'
WHERE id = %(id)s AND holder = %(holder)s
"""


def probe(video_id: int) -> None:
    lease = MediaLease(PROBES, video_id)
    _perform(PROBE, lease, lambda: pipeline.probe(_video(video_id), lease), video_id)


def encode(segment_id: int) -> None:
    lease = SegmentLease(segment_id)
    segment = Segment.objects.select_related("video").filter(pk=segment_id).first()
    if segment:
        _perform(ENCODE, lease, lambda: pipeline.encode(segment, lease), segment.video_id)


def join(video_id: int) -> None:
    lease = MediaLease(JOINS, video_id)
    _perform(JOIN, lease, lambda: pipeline.join(_video(video_id), lease), video_id)


def clear(video_id: int) -> None:
    lease = MediaLease(CLEARINGS, video_id)

    def work() -> None:
        if not pipeline.clear(_video(video_id), lease):
            sql.count(_LOOK_AGAIN, lease.mine)

    _perform(CLEAR, lease, work, video_id)


def give_up(task: str, video_id: int, error: BaseException) -> None:
    """Let the video fail, or stop clearing it away, with a dead letter."""
    with transaction.atomic():
        if task == CLEAR:
            sql.count(_STOP_CLEARING, {"video": video_id})
        elif not _end(video_id, Video.State.FAILED, _for_people(error)):
            return  # it was cancelled meanwhile
        sql.count(_STOP_SEGMENTS, {"video": video_id})
        deadletters.bury_video(task, video_id, error)


def give_up_poisoned(task: str, ids: Collection[int]) -> None:
    """Let the videos of these rows fail, which kill their workers."""
    videos = set(ids)
    if task == ENCODE:
        videos = set(Segment.objects.filter(pk__in=ids).values_list("video_id", flat=True))
    for video_id in sorted(videos):
        log.warning("%s of V-%d kills its workers.", task, video_id)
        give_up(task, video_id, Poison())


def _perform(task: str, lease: MediaLease, work: Callable[[], None], video_id: int) -> None:
    what = f"{task} of V-{video_id}"
    with holding(lease, what):
        if not lease.take():
            return
        try:
            work()
        except (LeaseLost, *INFRASTRUCTURE_DOWN):
            raise
        except BadVideo as bad:
            _end(video_id, Video.State.REFUSED, str(bad))
            lease.release()
        except FileNotFoundError as error:
            _give_up(task, lease, video_id, error)
        except (Transient, OSError) as error:  # a full disk, a time that was up
            log.warning("%s failed and may be tried again: %s", what, error)
            if lease.fail({lease.id: error}, POLICIES[QueueName.MEDIA], row_of(lease).started_at):
                _give_up(task, lease, video_id, error)
        except Orphaned as error:
            log.warning("%s stops: %s", what, error)
            lease.release()
        except Exception as error:
            _give_up(task, lease, video_id, error)


def _give_up(task: str, lease: MediaLease, video_id: int, error: Exception) -> None:
    log.error("%s of V-%d failed", task, video_id, exc_info=error)
    give_up(task, video_id, error)
    lease.release()


def _end(video_id: int, state: Video.State, why: str) -> int:
    return sql.count(_END, {"video": video_id, "state": state.value, "why": why})


def _video(video_id: int) -> Video:
    return Video.objects.get(pk=video_id)


def _for_people(error: BaseException) -> str:
    why = type(error).__name__
    return (
        f"It could not be made, and the operators have been told why ({why}). The file is kept: try it again."
    )
