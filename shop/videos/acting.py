"""What people may do about a video that is being made: cancel it, and try it again.

One conditional statement each, so that of two who press at once one finds nothing to do, and nothing is done to a video
that has moved on. Nobody is rung: a worker that has it in hand learns of a cancel at its next beat, a second later at
most, and stops; the relay finds what is to be done next.
"""

import logging
from typing import LiteralString

from orders import sql
from orders.lease import DUE_NOW
from shop.videos.models import Video

log = logging.getLogger(__name__)

# Whoever has it in hand lets go of it first: until then, and no longer than its lease, nothing is cleared.
_CANCEL: LiteralString = """
UPDATE videos_video
SET state = 'cancelled', problem = %(why)s, ended_at = now(), attempts = 0,
    due_at = CASE WHEN holder IS NULL THEN now() ELSE due_at END
WHERE id = %(id)s AND state = ANY(%(under_way)s)
"""
# Whatever hindered it is mended, or it is wanted after all.
_RETRY: LiteralString = sql.compose(
    """
UPDATE videos_video SET state = 'waiting', problem = '', ended_at = NULL, $due_now
WHERE id = %(id)s AND state IN ('failed', 'cancelled') AND source <> ''
  AND (holder IS NULL OR due_at IS NULL OR due_at <= now())
""",
    due_now=DUE_NOW,
)


def cancel(video: Video, by: str) -> bool:
    """Stop making this video, or give up one that failed, and throw away what there is of it; False if there was
    nothing to stop."""
    under_way = [state.value for state in (*Video.UNDER_WAY, Video.State.FAILED)]
    return bool(sql.count(_CANCEL, {"id": video.pk, "why": f"Cancelled by {by}.", "under_way": under_way}))


def retry(video: Video, by: str) -> bool:
    """Make a video that failed, or was cancelled a moment ago, after all: from where it stood. False if that cannot be:
    it did neither, or its file has been thrown away, and must be sent again."""
    begun = bool(sql.count(_RETRY, {"id": video.pk}))
    if begun:
        log.info("%s is tried again by %s", video, by)
    return begun
