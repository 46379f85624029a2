"""The moment when an upload is complete and becomes a video, which the pipeline takes up because it is due.

The file is moved first and the rows are written in one transaction after it. Whoever dies in between leaves an upload
that is complete: the next look at it, or the sweep, moves what is moved already, which does nothing, and writes the
rows. The video has its upload's token, so there cannot be two of it.
"""

from typing import LiteralString

from django.db import transaction
from django.utils import timezone

from orders import sql
from shop.videos.keeping import keeper
from shop.videos.models import Upload, Video

_LOCK: LiteralString = "SELECT 1 FROM videos_upload WHERE token = %(token)s FOR NO KEY UPDATE"


def arrived(upload: Upload) -> Video:
    """Turn a complete upload into a video that is due now; doing it again finds the video.

    Raises Lost when not all of it is kept, and ValueError for an upload that is not complete.
    """
    if upload.offset != upload.size:
        raise ValueError(f"{upload} is not complete")
    with transaction.atomic():
        if not sql.rows(_LOCK, {"token": upload.token}):
            return Video.objects.get(token=upload.token)
        video = Video.objects.create(
            token=upload.token,
            product_id=upload.product_id,
            filename=upload.filename,
            source=keeper().deliver(upload),
            size=upload.size,
            checksum=upload.checksum,
            by=upload.by,
            due_at=timezone.now(),
        )
        Upload.objects.filter(token=upload.token).delete()
    return video
