"""A video's files: what they are called, and when they are safe.

Names are made from the video's token and never from anything that the sender says. The token is drawn anew for each
video, so a public address never shows another video and browsers may keep it.
"""

import os
from pathlib import Path
from uuid import UUID

# In the public folder of a published video. MASTER is written last: where it is, all the others are.
MASTER, FALLBACK, POSTER, THUMBNAILS = "master.m3u8", "fallback.mp4", "poster.jpg", "thumbnails.vtt"


def incoming(token: UUID) -> str:
    """The unfinished upload, in the private storage."""
    return f"uploads/{token}"


def folder(token: UUID) -> str:
    """The video's folder: its source and segments in the private storage, what is published in the public one."""
    return f"videos/{token}"


def source(token: UUID) -> str:
    return f"{folder(token)}/source"


def sync(path: Path) -> None:
    """Wait until a file's content, or the names in a folder, are on the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
