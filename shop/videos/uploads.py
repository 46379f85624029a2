"""Uploads: announced, sent piece by piece, and then a video that the pipeline takes up; or discarded on the way.

The offset in the row is the truth, and it is written after the bytes are safe. A piece is taken under the lock of its
row, so two senders of one upload never mix their bytes, and in one of SLOTS places, so uploads never take every thread
of the web from shoppers. The database releases both when a process dies. A refused piece leaves the row unchanged.

Announcements are checked one at a time, so two senders cannot both be given the last free space.

When all bytes have arrived, the file is moved first and the rows are written after it, in one transaction. If the
process dies in between, the next request for the upload, or the sweep, does both again: moving a moved file changes
nothing, and the video has its upload's token, so there cannot be two of it.
"""

import errno
import hashlib
import hmac
import logging
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta
from typing import LiteralString
from uuid import UUID

from django.db import transaction
from django.db.models import F, Sum
from django.template.defaultfilters import filesizeformat
from django.utils import timezone

from orders import sql
from orders.database.vanishing import allow_pauses
from shop.catalogue.models import Product
from shop.videos import backlog, limits, refusals
from shop.videos.models import Upload, Video
from shop.videos.storage import MissingBytes, upload_storage

log = logging.getLogger(__name__)

SLOTS = 2  # pieces that come in at once, over all web processes; each of those has eight threads
KEPT = timedelta(days=3)  # since the last piece: a laptop may stay closed over a weekend
UNSENT = timedelta(hours=1)  # while nothing has arrived: announced space is reserved
STORING = timedelta(minutes=10)  # for a slow sender, disk or bucket, under the lock of one upload
BLOCK = 256 * 1024  # bytes held in memory at a time
SPARE = 512 * 1024 * 1024  # bytes of the disk that uploads leave free for everything else
CHECKSUMS: dict[str, Callable[[], "hashlib._Hash"]] = {
    "sha1": lambda: hashlib.sha1(usedforsecurity=False),
    "sha256": hashlib.sha256,
}

# Lock an upload for one piece; no row when another request has it.
_LOCK: LiteralString = """
SELECT "offset", multipart, expires_at FROM videos_upload WHERE token = %(token)s FOR NO KEY UPDATE SKIP LOCKED
"""
# Wait for the lock of a complete upload; no row when another process has made the video.
_LOCK_COMPLETE: LiteralString = "SELECT 1 FROM videos_upload WHERE token = %(token)s FOR NO KEY UPDATE"
# Record the bytes that are safe, unless somebody else has moved the offset.
_ADVANCE: LiteralString = """
UPDATE videos_upload SET "offset" = %(reached)s, multipart = %(multipart)s, expires_at = %(expires_at)s
WHERE token = %(token)s AND "offset" = %(offset)s
"""
# Take one of the places for pieces until the end of the transaction; false when it is taken.
_TAKE_SLOT: LiteralString = "SELECT pg_try_advisory_xact_lock(hashtext('stampede.uploads'), %(slot)s)"
# Let one announcement at a time be checked.
_ONE_AT_A_TIME: LiteralString = "SELECT pg_advisory_xact_lock(hashtext('stampede.uploads'), 0)"


@dataclass(frozen=True)
class Announcement:
    """What a sender says about a file before the first byte; `checksum` is SHA-256 of the whole in hex, or ""."""

    sku: str
    filename: str
    size: int
    kind: str = ""
    checksum: str = ""
    metadata: str = ""  # the header as it was sent, to be returned


@dataclass(frozen=True)
class Piece:
    """Bytes from `offset` on: `read(n)` returns up to n of them, and b"" at the end. `checksum` is the name of an
    algorithm (CHECKSUMS) and the digest that they must have."""

    offset: int
    read: Callable[[int], bytes]
    checksum: tuple[str, bytes] | None = None


def announce(said: Announcement, by: str) -> Upload:
    """Reserve space for a file before anything is sent. Raises UploadRefused."""
    name = limits.clean_name(said.filename)
    limits.check_name(name, said.kind)
    limits.check_size(name, said.size)
    try:
        product = Product.objects.get(sku=said.sku)
    except Product.DoesNotExist:
        raise refusals.NoSuchProduct("There is no product with this SKU.") from None
    with transaction.atomic():
        sql.rows(_ONE_AT_A_TIME, {})
        backlog.check_room()
        _check_disk(name, said.size)
        return Upload.objects.create(
            product=product,
            filename=name,
            size=said.size,
            checksum=said.checksum,
            metadata=said.metadata,
            by=by,
            expires_at=timezone.now() + UNSENT,
        )


def append(token: UUID, piece: Piece) -> Upload:
    """Take a piece and return the upload with its new offset; when it is complete (`is_complete`), it is a video by
    then.

    Raises Upload.DoesNotExist, UploadRefused, and what the database or the storage raises. The whole upload is
    discarded when it turns out not to be a video, or when bytes that had arrived are gone.
    """
    try:
        with transaction.atomic():
            allow_pauses(STORING)
            upload = _append(token, piece)
    except (refusals.NotAVideo, refusals.Expired):
        discard(token)
        raise
    except MissingBytes as missing:
        raise _give_up(token, missing) from None
    except OSError as error:
        if error.errno not in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
            raise
        raise refusals.DiskFull(
            "The disk is full, so this piece was not taken. What has arrived is kept. Tell whoever runs the shop."
        ) from error
    if is_complete(upload):
        finalise(upload)
    return upload


def finalise(upload: Upload) -> Video:
    """Turn a complete upload into a video that is due now; repeated, it returns the same video.

    Raises Expired when bytes that had arrived are gone, and ValueError for an upload that is not complete.
    """
    if not is_complete(upload):
        raise ValueError(f"{upload} is not complete")
    try:
        with transaction.atomic():
            allow_pauses(STORING)
            if not sql.rows(_LOCK_COMPLETE, {"token": upload.token}):
                return Video.objects.get(token=upload.token)
            video = Video.objects.create(
                token=upload.token,
                product_id=upload.product_id,
                filename=upload.filename,
                source=upload_storage().complete(upload),
                size=upload.size,
                checksum=upload.checksum,
                by=upload.by,
                due_at=timezone.now(),
            )
            Upload.objects.filter(token=upload.token).delete()
    except MissingBytes as missing:
        raise _give_up(upload.token, missing) from None
    return video


def is_complete(upload: Upload) -> bool:
    return upload.offset == upload.size


def discard(token: UUID) -> bool:
    """Delete an upload; False when there was none. Its bytes go before its row, so that none are forgotten."""
    with transaction.atomic():
        allow_pauses(STORING)
        if Upload.objects.select_for_update(no_key=True).filter(token=token).first() is None:
            return False
        upload_storage().delete(token)
        Upload.objects.filter(token=token).delete()
    return True


def sweep() -> tuple[int, int]:
    """Discard uploads that have expired, and finalise complete ones whose process died before it could. Returns how
    many of each."""
    expired = list(Upload.objects.filter(expires_at__lte=timezone.now()).exclude(offset=F("size")))
    discarded = sum(discard(upload.token) for upload in expired)
    finalised = 0
    for upload in Upload.objects.filter(offset=F("size")):
        with suppress(refusals.Expired):  # it is in the log, and no sender is here to be told
            finalise(upload)
            finalised += 1
    return discarded, finalised


def _give_up(token: UUID, missing: MissingBytes) -> refusals.Expired:
    discard(token)
    log.error("An upload is lost, and its sender has to begin again: %s", missing)
    return refusals.Expired("What had arrived of this file is gone. Send it again from its beginning.")


def _append(token: UUID, piece: Piece) -> Upload:
    upload = Upload.objects.get(token=token)
    if not any(sql.rows(_TAKE_SLOT, {"slot": slot})[0][0] for slot in range(1, SLOTS + 1)):
        raise refusals.Busy("Too many files are coming in at this moment. Send this piece again in a second.")
    if not (locked := sql.rows(_LOCK, {"token": token})):
        raise refusals.InUse(
            "Another request is writing to this upload. Ask for its offset, and go on from there."
        )
    [(upload.offset, upload.multipart, upload.expires_at)] = locked
    if upload.expires_at <= timezone.now() and not is_complete(upload):
        raise refusals.Expired(
            f"Nothing of “{upload.filename}” arrived for so long that the upload was discarded. Send it again."
        )
    if piece.offset != upload.offset:
        raise refusals.WrongOffset(
            f"{upload.offset:,} bytes of “{upload.filename}” have arrived, but this piece begins at {piece.offset:,}. "
            "Ask for the offset, and go on from there."
        )
    if is_complete(upload):
        return upload
    before, upload.offset = upload.offset, upload_storage().write(upload, _checked(upload, piece))
    upload.expires_at = timezone.now() + KEPT
    moved = sql.count(
        _ADVANCE,
        {
            "token": token,
            "offset": before,
            "reached": upload.offset,
            "multipart": upload.multipart,
            "expires_at": upload.expires_at,
        },
    )
    if moved != 1:
        raise refusals.WrongOffset(
            "The upload has moved on meanwhile. Ask for its offset, and go on from there."
        )
    return upload


def _checked(upload: Upload, piece: Piece) -> Iterator[bytes]:
    """The piece block by block, up to the announced size. The beginning of the file and the piece's checksum are
    checked on the way."""
    left = upload.size - upload.offset
    digest = CHECKSUMS[piece.checksum[0]]() if piece.checksum else None
    first = upload.offset == 0
    while left and (block := piece.read(min(BLOCK, left))):
        if first:
            while len(block) < limits.BEGINNING and (more := piece.read(limits.BEGINNING - len(block))):
                block += more
            if len(block) < limits.BEGINNING:
                raise refusals.TooSmallAPiece(
                    f"The first piece must have {limits.BEGINNING} bytes or more, but this one has {len(block)}."
                )
            limits.check_beginning(upload.filename, block[: limits.BEGINNING])
            first = False
        if digest:
            digest.update(block)
        left -= len(block)
        yield block
    if digest and piece.checksum and not hmac.compare_digest(digest.digest(), piece.checksum[1]):
        raise refusals.WrongChecksum(
            "This piece changed on its way: it does not have the checksum that was sent with it. Send it again."
        )


def _check_disk(name: str, size: int) -> None:
    """Refuse a file that the disk has no space for once everything announced has arrived."""
    if (free := upload_storage().free()) is None:
        return
    sums = Upload.objects.aggregate(announced=Sum("size"), arrived=Sum("offset"))
    coming = (sums["announced"] or 0) - (sums["arrived"] or 0)
    if size > (left := free - coming - SPARE):
        raise refusals.DiskFull(
            f"“{name}” has {filesizeformat(size)}, and there is room for {filesizeformat(max(left, 0))}. "
            "Tell whoever runs the shop that the disk is full."
        )
