"""Reads the boxes of our own fragmented MP4 files: where each fragment is, and which time it covers.

With that, segments can be concatenated without touching a frame, and playlists can point into the result. It trusts
what it reads, so it is not for uploaded files.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from io import BytesIO
from typing import BinaryIO


class Truncated(Exception):
    """The file is cut off or has no fragments."""


@dataclass(frozen=True, slots=True)
class Fragment:
    """Bytes `offset` to `offset + size`; times are in the track's ticks, `last` is that of its last frame."""

    offset: int
    size: int
    start: int
    last: int
    frames: int


@dataclass(frozen=True, slots=True)
class Fragments:
    """`head` is what a player needs before any fragment; `ticks` are those in a second."""

    head: bytes
    ticks: int
    fragments: list[Fragment]


def read(file: BinaryIO) -> Fragments:
    """The fragments of a file with one track. Raises Truncated."""
    head, ticks, default, found = b"", 0, 0, []
    moof: tuple[int, bytes] | None = None
    for kind, offset, size, body in _boxes(file):
        if kind in (b"ftyp", b"moov"):
            file.seek(offset)
            head += file.read(size)
        if kind == b"moov":
            moov = _load(file, body, offset + size)
            ticks, default = _ticks(moov), _default_duration(moov)
        elif kind == b"moof":
            moof = offset, _load(file, body, offset + size)
        elif kind == b"mdat" and moof:
            found.append(Fragment(moof[0], offset + size - moof[0], *_times(moof[1], default)))
            moof = None
    if not found or moof:
        raise Truncated("the file holds no fragment" if not found else "its last fragment has no content")
    return Fragments(head, ticks, found)


def codec(head: bytes) -> str:
    """The track's codec as a playlist names it: avc1.64001f, mp4a.40.2."""
    at = head.find(b"avcC")
    return f"avc1.{head[at + 5 : at + 8].hex()}" if at >= 0 else "mp4a.40.2"


def _boxes(file: BinaryIO) -> Iterator[tuple[bytes, int, int, int]]:
    """(kind, offset, size, offset of its content) of each box in turn."""
    file.seek(0, 2)
    end, offset = file.tell(), 0
    while offset < end:
        file.seek(offset)
        header = file.read(16)
        size, kind, body = int.from_bytes(header[:4]), header[4:8], offset + 8
        if size == 1:
            size, body = int.from_bytes(header[8:16]), offset + 16
        if size < 8 or offset + size > end:
            raise Truncated(f"the box {kind!r} at byte {offset:,} of {end:,} does not fit")
        yield kind, offset, size, body
        offset += size


def _load(file: BinaryIO, start: int, end: int) -> bytes:
    file.seek(start)
    return file.read(end - start)


def _inner(content: bytes, *path: bytes) -> bytes:
    """The content of the first box on this path."""
    for wanted in path:
        boxes = _boxes(BytesIO(content))
        content = next(content[body : offset + size] for kind, offset, size, body in boxes if kind == wanted)
    return content


def _ticks(moov: bytes) -> int:
    mdhd = _inner(moov, b"trak", b"mdia", b"mdhd")
    at = 20 if mdhd[0] else 12
    return int.from_bytes(mdhd[at : at + 4])


def _default_duration(moov: bytes) -> int:
    return int.from_bytes(_inner(moov, b"mvex", b"trex")[12:16])


def _times(moof: bytes, default: int) -> tuple[int, int, int]:
    """(time of the first frame, time of the last, number of frames)."""
    traf = _inner(moof, b"traf")
    tfdt = _inner(traf, b"tfdt")
    start = int.from_bytes(tfdt[4:12] if tfdt[0] else tfdt[4:8])
    tfhd = _inner(traf, b"tfhd")
    flags = int.from_bytes(tfhd[1:4])
    if flags & 0x8:
        at = 8 + (8 if flags & 0x1 else 0) + (4 if flags & 0x2 else 0)
        default = int.from_bytes(tfhd[at : at + 4])
    last = end = start
    frames = 0
    for kind, offset, size, body in _boxes(BytesIO(traf)):
        if kind == b"trun":
            durations = list(_durations(traf[body : offset + size], default))
            frames += len(durations)
            last, end = end + sum(durations[:-1]), end + sum(durations)
    return start, last, frames


def _durations(trun: bytes, default: int) -> Iterator[int]:
    flags, count = int.from_bytes(trun[1:4]), int.from_bytes(trun[4:8])
    at = 8 + (4 if flags & 0x1 else 0) + (4 if flags & 0x4 else 0)
    step = 4 * sum(bool(flags & bit) for bit in (0x100, 0x200, 0x400, 0x800))
    for _ in range(count):
        yield int.from_bytes(trun[at : at + 4]) if flags & 0x100 else default
        at += step
