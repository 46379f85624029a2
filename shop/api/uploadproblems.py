"""The kinds of problems that only uploads have, and which of them says what was refused (shop.videos.refusals)."""

from shop.api import problems
from shop.api.problems import Kind, Problem
from shop.videos import refusals

PROTOCOL = Kind(
    "unsupported-protocol-version",
    412,
    "This is not version 1.0.0 of tus",
    "Nothing was done. Every request but OPTIONS and GET carries `Tus-Resumable: 1.0.0`.",
)
WRONG_TYPE = Kind(
    "wrong-content-type",
    415,
    "The piece is not sent as a piece of an upload",
    "Nothing was taken. Send it with `Content-Type: application/offset+octet-stream`.",
)
STORAGE_AWAY = Kind(
    "storage-unavailable",
    503,
    "The file storage does not answer",
    "Ask for the upload's offset after `Retry-After` seconds and go on from there.",
)
NOT_NOW = Kind(
    "video-not-so",
    409,
    "The video is not in a state in which this can be done",
    "The video goes on as it was. `detail` says which state it is in.",
)
_REFUSED: dict[type[refusals.UploadRefused], Kind] = {
    refusals.TooLarge: Kind(
        "upload-too-large",
        413,
        "The file is too large",
        "Nothing was taken. `Tus-Max-Size` in the answer to OPTIONS is the most, in bytes.",
    ),
    refusals.NotAVideo: Kind(
        "not-a-video",
        415,
        "The file is no video",
        "Nothing is kept of it. The content decides, whatever the name says: MP4, MOV, MKV or WebM.",
    ),
    refusals.BacklogFull: Kind(
        "backlog-full",
        503,
        "Too much video waits already",
        "Nothing was taken. Announce the file again after as many seconds as `Retry-After` says.",
    ),
    refusals.Busy: Kind(
        "uploads-busy",
        503,
        "As many pieces come in as may at once",
        "This piece was not taken, and the upload is as it was before. Send the piece again after `Retry-After`.",
    ),
    refusals.DiskFull: Kind(
        "storage-full", 507, "There is no room for it", "Nothing was taken; what had arrived before is kept."
    ),
    refusals.InUse: Kind(
        "upload-in-use",
        423,
        "Another request writes to this upload",
        "This piece was not taken. Ask for the upload's offset with HEAD, and go on from there.",
    ),
    refusals.WrongOffset: Kind(
        "wrong-offset",
        409,
        "The piece does not begin where the upload ends",
        "This piece was not taken. Ask for the upload's offset with HEAD, and go on from there.",
    ),
    refusals.WrongChecksum: Kind(
        "checksum-mismatch",
        460,
        "The piece changed on its way",
        "This piece was not taken, and the upload is as it was before. Send the piece again.",
    ),
    refusals.Expired: Kind(
        "upload-gone",
        410,
        "The upload is gone",
        "Nothing is kept of it. Announce the file again, and send it anew.",
    ),
}
KINDS = {kind.slug: kind for kind in (PROTOCOL, WRONG_TYPE, STORAGE_AWAY, NOT_NOW, *_REFUSED.values())}


def of(refused: refusals.UploadRefused) -> Problem:
    match refused:
        case refusals.NoSuchProduct():
            return problems.invalid({"sku": [str(refused)]})
        case refusals.TooSmallAPiece():
            return problems.invalid({"Content-Length": [str(refused)]})
    headers = {"Retry-After": str(refused.retry_after)} if refused.retry_after else None
    return Problem(_REFUSED[type(refused)], str(refused), headers=headers)
