"""What people can do about a video: cancel one that is being made or try it again, and take down one that is shown.

Each is one conditional statement, so of two people who press at once the second changes nothing, and neither does a
press that comes too late. Nothing is dispatched here: a worker that holds the video sees a cancel at its next
heartbeat, a second later at most, and stops; the relay finds what is to be done next.
"""

import logging
from typing import LiteralString

from orders import sql
from orders.lease import DUE_NOW
from shop.videos.models import Video

log = logging.getLogger(__name__)

# Cancel a video that is being made or has failed. While a worker holds it, its files are not deleted before the worker
# lets go or the lease runs out.
_CANCEL: LiteralString = """
UPDATE videos_video
SET state = 'cancelled', problem = %(why)s, ended_at = now(), attempts = 0,
    due_at = CASE WHEN holder IS NULL THEN now() ELSE due_at END
WHERE id = %(id)s AND state IN ('waiting', 'encoding', 'joining', 'failed')
"""
# Start a failed or cancelled video again while its source still exists and no worker holds it.
_RETRY: LiteralString = sql.compose(
    """
UPDATE videos_video SET state = 'waiting', problem = '', ended_at = NULL, $due_now
WHERE id = %(id)s AND state IN ('failed', 'cancelled') AND source <> ''
  AND (holder IS NULL OR due_at IS NULL OR due_at <= now())
""",
    due_now=DUE_NOW,
)

# Take down a video that is published, or was until a moment ago and is kept for those who watch it. Its files are due
# to be deleted.
_REMOVE: LiteralString = sql.compose(
    """
UPDATE videos_video SET state = 'removed', problem = %(why)s, ended_at = now(), $due_now
WHERE id = %(id)s AND (state = 'published' OR state = 'replaced' AND due_at IS NOT NULL)
""",
    due_now=DUE_NOW,
)


def cancel(video: Video, by: str) -> bool:
    """Stop making this video, or give up one that failed, and delete its files. False if there was nothing to stop."""
    return bool(sql.count(_CANCEL, {"id": video.pk, "why": f"Cancelled by {by}."}))


def remove(video: Video, by: str) -> bool:
    """Take down a video that shoppers can see: no page names it any more, and its files are deleted. False if there was
    nothing to take down."""
    return bool(sql.count(_REMOVE, {"id": video.pk, "why": f"Removed by {by}."}))


def retry(video: Video, by: str) -> bool:
    """Continue a video that failed, or was cancelled a moment ago, from where it stopped. False if it did neither, or
    its source has been deleted: then it must be uploaded again."""
    restarted = bool(sql.count(_RETRY, {"id": video.pk}))
    if restarted:
        log.info("%s is tried again by %s", video, by)
    return restarted
