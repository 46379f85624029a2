"""Whether a file is what its sender has, to the byte: its SHA-256 against the one that was named with the upload.

Each piece can bring a checksum of its own, which is compared as it comes in. That of the whole is for the pipeline to
compare, before it looks into the file: adding up 10 GB takes half a minute, far too long for a request, and the
state of a half-done sum cannot be kept from one request to the next, for no SHA-256 that is fast gives it away.
"""

import hashlib
from collections.abc import Callable
from pathlib import Path

from shop.videos.models import Video

_PIECE = 1 << 20


def fault(video: Video, file: Path, tick: Callable[[], None]) -> str:
    """What is wrong with this copy of the video's source, in words for people; "" when it is as it was sent, or when
    the sender named no checksum. `tick` is called with each piece that was read; what it raises ends the reading."""
    if not video.checksum:
        return ""
    digest = hashlib.sha256()
    with file.open("rb") as source:
        while piece := source.read(_PIECE):
            digest.update(piece)
            tick()
    found = digest.hexdigest()
    if found == video.checksum:
        return ""
    return (
        f"The file is not the one that was sent: its SHA-256 is {found}, and {video.checksum} was named with it. "
        "Send it again."
    )
