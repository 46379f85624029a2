"""What the schema says of uploads and videos: words, headers, who may."""

from drf_spectacular.utils import OpenApiParameter, OpenApiResponse

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
LOOKING = """
For people and programs; a client of tus asks with `HEAD`, which answers in headers (`Upload-Offset`, `Upload-Length`,
`Upload-Expires`).
"""


def _header(name: str, description: str, *, required: bool = True, kind: type = str) -> OpenApiParameter:
    return OpenApiParameter(name, kind, OpenApiParameter.HEADER, required=required, description=description)


def _answered(name: str, status: int, description: str, kind: type = str) -> OpenApiParameter:
    return OpenApiParameter(
        name, kind, OpenApiParameter.HEADER, response=[status], required=True, description=description
    )


TOKEN = OpenApiParameter(
    "token", str, OpenApiParameter.PATH, description="The last part of the `Location` of the announcement."
)
RESUMABLE = OpenApiParameter(
    "Tus-Resumable",
    str,
    OpenApiParameter.HEADER,
    required=True,
    enum=[tus.VERSION],
    description="The version of the protocol.",
)
LENGTH = _header("Upload-Length", "Bytes of the whole file.", kind=int)
METADATA = _header(
    "Upload-Metadata",
    "Pairs of a key and its value in base64, with commas between them. Needed are `sku` (of the product) and "
    "`filename`; `filetype` is a media type, `sha256` the checksum of the whole in hexadecimal, which is compared "
    "before the video is looked at.",
)
OFFSET = _header("Upload-Offset", "Where this piece begins: where the upload ends.", kind=int)
CHECKSUM = _header(
    "Upload-Checksum",
    f"Of this piece: an algorithm ({', '.join(uploads.CHECKSUMS)}), a space, and the digest in base64. A piece that "
    "does not fit is not taken (460).",
    required=False,
)
_EXPIRES = "When it is thrown away unless more of it arrives, as an HTTP date."
ANNOUNCED = (
    _answered("Location", 201, "Where to send it; without a host, which is the one you asked."),
    _answered("Upload-Expires", 201, _EXPIRES),
)
SENT = (
    _answered("Upload-Offset", 204, "Where the next piece begins.", int),
    _answered("Upload-Expires", 204, _EXPIRES),
)


def nothing(description: str) -> OpenApiResponse:
    return OpenApiResponse(description=description)
