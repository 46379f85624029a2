"""Uploads as they come in: announced, sent piece by piece, taken back, swept away.

The offset in the row is the truth, and is written after the bytes are safe. A piece is taken under the lock of its
row, so that two senders of one upload never mix their bytes, and in one of SLOTS places, so that uploads never take
all threads of the web from those who buy; both are let go by the database when a process dies. What one transaction
refuses leaves the row as it was.

Announcing is checked under one lock for all, so that two who come at once do not both get the last room.
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
from shop.catalogue.models import Product
from shop.videos import arriving, backlog, limits, refusals
from shop.videos.keeping import Lost, keeper
from shop.videos.models import Upload, Video

log = logging.getLogger(__name__)

SLOTS = 2  # pieces that come in at once, in all web processes together; these have eight threads
KEPT = timedelta(days=3)  # since the last piece: a laptop that was closed over a weekend
UNSENT = timedelta(hours=1)  # as long as nothing has come: room that is announced is kept free for it
BLOCK = 256 * 1024  # bytes that are in memory at a time
SPARE = 512 * 1024 * 1024  # bytes of the disk that uploads leave free for everybody else
CHECKSUMS: dict[str, Callable[[], "hashlib._Hash"]] = {
    "sha1": lambda: hashlib.sha1(usedforsecurity=False),
    "sha256": hashlib.sha256,
}

_LOCK: LiteralString = """
SELECT "offset", multipart, expires_at FROM videos_upload WHERE token = %(token)s FOR NO KEY UPDATE SKIP LOCKED
"""
_ADVANCE: LiteralString = """
UPDATE videos_upload SET "offset" = %(reached)s, multipart = %(multipart)s, expires_at = %(expires_at)s
WHERE token = %(token)s AND "offset" = %(offset)s
"""
_TAKE_SLOT: LiteralString = "SELECT pg_try_advisory_xact_lock(hashtext('stampede.uploads'), %(slot)s)"
_ONE_AT_A_TIME: LiteralString = "SELECT pg_advisory_xact_lock(hashtext('stampede.uploads'), 0)"


@dataclass(frozen=True)
class Announcement:
    """What a sender says of a file before the first byte; `checksum` is SHA-256 of the whole in hex, or ""."""

    sku: str
    filename: str
    size: int
    kind: str = ""
    checksum: str = ""
    metadata: str = ""  # the header itself, to be given back


@dataclass(frozen=True)
class Piece:
    """Bytes that follow `offset`: `read(n)` gives up to n of them and b"" at their end. `checksum` is the name of an
    algorithm (CHECKSUMS) and the digest that they must have."""

    offset: int
    read: Callable[[int], bytes]
    checksum: tuple[str, bytes] | None = None


def announce(said: Announcement, by: str) -> Upload:
    """Make room for a file. Raises UploadRefused of one sort or another, before anything is sent."""
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
    """Take a piece; returns the upload with its new offset, and hands it on when it is complete (`is_complete`).

    Raises Upload.DoesNotExist, UploadRefused, and what the database or the storage raises. What was sent is thrown
    away as a whole when it proves to be no video, or when what had arrived is gone.
    """
    try:
        with transaction.atomic():
            upload = _append(token, piece)
    except (refusals.NotAVideo, refusals.Expired):
        discard(token)
        raise
    except Lost as lost:
        raise _given_up(token, lost) from None
    except OSError as error:
        if error.errno not in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
            raise
        raise refusals.DiskFull(
            "The disk is full: this piece was not taken. Tell whoever runs the shop; what has arrived is kept."
        ) from error
    if is_complete(upload):
        hand_on(upload)
    return upload


def hand_on(upload: Upload) -> Video:
    """Turn a complete upload into a video. Raises Expired when what had arrived is gone."""
    try:
        return arriving.arrived(upload)
    except Lost as lost:
        raise _given_up(upload.token, lost) from None


def is_complete(upload: Upload) -> bool:
    return upload.offset == upload.size


def discard(token: UUID) -> bool:
    """Throw an upload away; False when there was none. Its bytes go before its row does, so that none is forgotten."""
    with transaction.atomic():
        if Upload.objects.select_for_update(no_key=True).filter(token=token).first() is None:
            return False
        keeper().drop(token)
        Upload.objects.filter(token=token).delete()
    return True


def sweep() -> tuple[int, int]:
    """Throw away what nobody went on with, and hand on what is complete and was left so by a process that died.
    Returns how many of each."""
    expired = list(Upload.objects.filter(expires_at__lte=timezone.now()).exclude(offset=F("size")))
    thrown = sum(discard(upload.token) for upload in expired)
    handed = 0
    for upload in Upload.objects.filter(offset=F("size")):
        with suppress(refusals.Expired):  # it is in the log, and nobody is here to be told
            hand_on(upload)
            handed += 1
    return thrown, handed


def _given_up(token: UUID, lost: Lost) -> refusals.Expired:
    discard(token)
    log.error("An upload is lost, and its sender has to begin again: %s", lost)
    return refusals.Expired(
        "What had arrived of this file is not there any more. Send it again from its beginning."
    )


def _append(token: UUID, piece: Piece) -> Upload:
    upload = Upload.objects.get(token=token)
    if not any(sql.rows(_TAKE_SLOT, {"slot": slot})[0][0] for slot in range(1, SLOTS + 1)):
        raise refusals.Busy(
            "As many files come in at this moment as may at once. Send this piece again in a second."
        )
    if not (locked := sql.rows(_LOCK, {"token": token})):
        raise refusals.InUse(
            "Another request writes to this upload. Ask for its offset, and go on from there."
        )
    [(upload.offset, upload.multipart, upload.expires_at)] = locked
    if upload.expires_at <= timezone.now() and not is_complete(upload):
        raise refusals.Expired(
            f"Nothing came of “{upload.filename}” for so long that it was thrown away. Send it again."
        )
    if piece.offset != upload.offset:
        raise refusals.WrongOffset(
            f"{upload.offset:,} bytes of “{upload.filename}” have arrived, and this piece begins at {piece.offset:,}. "
            "Ask for the offset, and go on from there."
        )
    if is_complete(upload):
        return upload
    before, upload.offset = upload.offset, keeper().write(upload, _looked_at(upload, piece))
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
        raise refusals.WrongOffset("The upload moved on meanwhile. Ask for its offset, and go on from there.")
    return upload


def _looked_at(upload: Upload, piece: Piece) -> Iterator[bytes]:
    """The piece block by block, no more than the file may have; looked at as far as it is looked at at all."""
    left = upload.size - upload.offset
    digest = CHECKSUMS[piece.checksum[0]]() if piece.checksum else None
    first = upload.offset == 0
    while left and (block := piece.read(min(BLOCK, left))):
        if first:
            while len(block) < limits.BEGINNING and (more := piece.read(limits.BEGINNING - len(block))):
                block += more
            if len(block) < limits.BEGINNING:
                raise refusals.TooSmallAPiece(
                    f"The first piece has to bring {limits.BEGINNING} bytes or more, and this one brought {len(block)}."
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
    """Refuse what the disk has no room for, when all that is announced already has come."""
    free = keeper().free()
    if free is None:
        return
    sums = Upload.objects.aggregate(announced=Sum("size"), arrived=Sum("offset"))
    coming = (sums["announced"] or 0) - (sums["arrived"] or 0)
    if size > (left := free - coming - SPARE):
        raise refusals.DiskFull(
            f"“{name}” has {filesizeformat(size)}, and there is room for {filesizeformat(max(left, 0))}. "
            "Tell whoever runs the shop that the disk is full."
        )
