"""What the schema says of uploads and videos: words, headers, who may."""

from typing import Any

from django.conf import settings
from drf_spectacular.utils import OpenApiExample, OpenApiParameter

from shop.api import tus
from shop.videos import limits, uploads

ANNOUNCING = f"""
Resumable uploads by [tus {tus.VERSION}](https://tus.io/protocols/resumable-upload) with its extensions creation,
expiration, termination and checksum: any client of it will do. Announce a file here, then send it to the `Location`
of the answer, piece by piece, each of up to 16 MiB. `OPTIONS` tells what is taken (`Tus-Max-Size`,
`Tus-Checksum-Algorithm`).

Everything that can be known beforehand is refused here, before a byte is sent: a file that is too large or no video by
its name, a product that is not there, a disk without room, and a backlog that is full, with the seconds after which to
come back in `Retry-After`.

Whoever uploads is staff: a program sends `Authorization: Token …` (`manage.py drf_create_token USER` makes one), a
browser its session and the header `X-CSRFToken`.
"""
SENDING = f"""
The body is the bytes that follow `Upload-Offset`, which is where the last answer or `HEAD` said that the upload
ends. Pieces have up to 16 MiB. What was answered with 204 is on the disk and survives a power cut; after anything
else, also after no answer at all, ask with `HEAD` where to go on, with the same file, after minutes or after days: it
is kept for {uploads.KEPT.days} days after its last piece.

The first bytes have to be those of a video ({limits.ACCEPTED}), or the upload is thrown away (415). With the last
piece the upload becomes a video, which is processed at once; `GET` then says where to follow it. The server may take
less than was sent: `Upload-Offset` says what counts.
"""


def _header(name: str, description: str, kind: Any = str, **more: Any) -> OpenApiParameter:
    more = {"required": True} | more
    return OpenApiParameter(name, kind, OpenApiParameter.HEADER, description=description, **more)


TOKEN = OpenApiParameter(
    "token", str, OpenApiParameter.PATH, description="The last part of the `Location` of the announcement."
)
RESUMABLE = _header("Tus-Resumable", "The version of the protocol.", enum=[tus.VERSION])
_EXPIRES = "When it is thrown away unless more of it arrives, as an HTTP date."
_SIZE = {"type": "integer", "minimum": limits.SMALLEST, "maximum": settings.VIDEO_MAX_BYTES}
_OFFSET = {"type": "integer", "minimum": 0, "maximum": settings.VIDEO_MAX_BYTES}
TO_ANNOUNCE = [
    RESUMABLE,
    _header("Upload-Length", "Bytes of the whole file.", _SIZE),
    _header(
        "Upload-Metadata",
        "Pairs of a key and its value in base64, with commas between them. Needed are `sku` (of the product) and "
        "`filename`; `filetype` is a media type, `sha256` the checksum of the whole in hexadecimal, which is compared "
        "before the video is looked at.",
        {"type": "string", "maxLength": tus.MAX_METADATA},
        examples=[OpenApiExample("A film of a kettle", "sku S0ktMTAxMA==,filename a2V0dGxlLm1wNA==")],
    ),
    _header("Location", "Where to send it; without a host, which is the one you asked.", response=[201]),
    _header("Upload-Expires", _EXPIRES, response=[201]),
]
TO_SEND = [
    TOKEN,
    RESUMABLE,
    _header("Upload-Offset", "Where this piece begins: where the upload ends.", _OFFSET),
    _header(
        "Upload-Checksum",
        f"Of this piece: an algorithm ({', '.join(uploads.CHECKSUMS)}), a space, and the digest in base64. A piece "
        "that does not fit is not taken (460).",
        required=False,
    ),
    _header("Upload-Offset", "Where the next piece begins.", int, response=[204]),
    _header("Upload-Expires", _EXPIRES, response=[204]),
]
