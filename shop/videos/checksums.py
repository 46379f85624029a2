"""Compares a whole file with the SHA-256 that its sender gave with the upload.

The checksum of a single piece is compared while it arrives. That of the whole file is left to the pipeline: summing up
10 GB takes half a minute, too long for a request, and no fast SHA-256 lets its state be saved between requests.
"""

import hashlib
from collections.abc import Callable
from pathlib import Path

from shop.videos.models import Video

_BLOCK = 1 << 20


def mismatch(video: Video, file: Path, tick: Callable[[], None]) -> str:
    """What is wrong with this copy of the video's source, for people; "" when it is right or no checksum was given.
    `tick` is called after each block; what it raises stops the reading."""
    if not video.checksum:
        return ""
    digest = hashlib.sha256()
    with file.open("rb") as source:
        while block := source.read(_BLOCK):
            digest.update(block)
            tick()
    if (found := digest.hexdigest()) == video.checksum:
        return ""
    return (
        f"The file is not the one that was sent: its SHA-256 is {found}, but {video.checksum} was announced. "
        "Send it again."
    )
