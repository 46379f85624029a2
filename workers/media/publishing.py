"""A video is published and replaces the one before it, in one transaction, without a gap.

The files of the one before stay for KEEP, for those who are watching it. Of two videos of one product the one that was
uploaded later wins, whichever is finished first.
"""

from datetime import timedelta
from typing import LiteralString

from django.db import transaction

from orders import sql
from orders.lease import DUE_NOW, LeaseLost
from shop.videos.models import Video
from workers.media.leases import MediaLease

KEEP = timedelta(hours=1)

# Videos of one product are published one after the other, each seeing what the one before has done.
_LOCK_PRODUCT: LiteralString = "SELECT id FROM catalogue_product WHERE id = %(product)s FOR NO KEY UPDATE"
# The one that was published until now; its files are deleted later.
_REPLACE: LiteralString = """
UPDATE videos_video SET state = 'replaced', ended_at = now(), due_at = now() + %(keep)s, attempts = 0
WHERE product_id = %(product)s AND state = 'published' AND id < %(id)s
"""
# Publish the video; or mark it as replaced at once, if a newer one is published.
_PUBLISH: LiteralString = sql.compose(
    """
UPDATE videos_video v
SET state = CASE WHEN newer.there THEN 'replaced' ELSE 'published' END,
    published_at = CASE WHEN newer.there THEN NULL ELSE now() END,
    ended_at = now(), problem = '', $due_now
FROM (SELECT EXISTS (SELECT FROM videos_video
                     WHERE product_id = %(product)s AND state = 'published' AND id > %(id)s) AS there) AS newer
WHERE v.id = %(id)s AND v.holder = %(holder)s AND v.state = 'joining'
""",
    due_now=DUE_NOW,
)
# Failures on the way need nobody any more.
_SETTLED: LiteralString = """
UPDATE workers_deadletter SET resolved_at = now(), resolution = 'the video was made after all'
WHERE video_id = %(id)s AND resolved_at IS NULL
"""


def publish(video: Video, lease: MediaLease) -> None:
    """Publish the video, unless a later one is published. Raises LeaseLost."""
    given = {**lease.mine, "product": video.product_id}
    with transaction.atomic():
        sql.rows(_LOCK_PRODUCT, given)
        sql.count(_REPLACE, {**given, "keep": KEEP})
        if not sql.count(_PUBLISH, given):
            raise LeaseLost(f"{video} has another holder, or was cancelled")
        sql.count(_SETTLED, given)
