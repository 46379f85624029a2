"""Concatenates the segments of a track into one file, and writes the HLS playlists that point into it.

Playlists address the fragments of the file by byte ranges, so a video of hours is a handful of files and not thousands.
No frame is decoded or even read: an hour of video is written as fast as the disk allows.
"""

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from workers.media import mp4
from workers.media.ladder import Rendition

PIECE_SECONDS = 4.0  # the least that a player asks for at a time
_CHUNK = 1 << 22


class SegmentMismatch(Exception):
    """Two segments of one track cannot follow each other."""


@dataclass(frozen=True, slots=True)
class Piece:
    """A part of the track that begins with a key frame: its bytes, and its seconds."""

    offset: int
    size: int
    start: float
    end: float


@dataclass(slots=True)
class Track:
    """A finished file with what playlists say about it; `keys` are the seconds at which its fragments begin."""

    name: str
    codec: str = ""
    head: int = 0
    frames: int = 0
    pieces: list[Piece] = field(default_factory=list)
    keys: list[float] = field(default_factory=list)

    @property
    def size(self) -> int:
        return self.pieces[-1].offset + self.pieces[-1].size

    @property
    def end(self) -> float:
        return self.pieces[-1].end

    @property
    def peak(self) -> int:
        """Bits a second, of the piece with the most; never less than the average."""
        most = max(math.ceil(piece.size * 8 / max(piece.end - piece.start, 0.5)) for piece in self.pieces)
        return max(most, self.average)

    @property
    def average(self) -> int:
        """Bits a second over all pieces; the head is none of them."""
        return math.ceil((self.size - self.head) * 8 / max(self.end - self.pieces[0].start, 0.5))


def concatenate(
    name: str, parts: Iterable[Path], target: Path, end: float, tick: Callable[[], None]
) -> Track:
    """Write the parts of a track, in this order, as one file. `tick` is called every few megabytes; `end` is where the
    last piece ends, in seconds. Raises SegmentMismatch and mp4.Truncated."""
    track = Track(name)
    starts: list[tuple[int, float]] = []  # of the fragments, in bytes and seconds
    last = -1.0
    head = b""
    with target.open("wb") as out:
        for part in parts:
            with part.open("rb") as file:
                read = mp4.read(file)
                if not head:
                    head = read.head
                    out.write(head)
                if read.head != head:
                    raise SegmentMismatch(f"{part.name} of {name} was encoded differently from the first")
                for fragment in read.fragments:
                    start = fragment.start / read.ticks
                    if start <= last:
                        raise SegmentMismatch(
                            f"{part.name} of {name} begins at {start:.3f} s, before the last ends"
                        )
                    last = fragment.last / read.ticks
                    track.frames += fragment.frames
                    starts.append((out.tell(), start))
                    file.seek(fragment.offset)
                    left = fragment.size
                    while left:
                        chunk = file.read(min(left, _CHUNK))
                        out.write(chunk)
                        left -= len(chunk)
                        tick()
        size = out.tell()
    if not starts:
        raise SegmentMismatch(f"there is no segment of {name}")
    track.codec, track.head = mp4.codec(head), len(head)
    track.keys = [start for _, start in starts]
    track.pieces = _pieces(starts, size, max(end, last + 0.001))
    return track


def _pieces(starts: Sequence[tuple[int, float]], size: int, end: float) -> list[Piece]:
    """Fragments grouped into pieces of PIECE_SECONDS or more."""
    pieces = []
    following = [*starts[1:], (size, end)]
    begin = starts[0]
    for offset, start in following:
        if start - begin[1] >= PIECE_SECONDS or offset == size:
            pieces.append(Piece(begin[0], offset - begin[0], begin[1], start))
            begin = offset, start
    return pieces


def playlist(track: Track) -> str:
    """The track's own playlist."""
    longest = math.ceil(max(piece.end - piece.start for piece in track.pieces))
    lines = [
        "#EXTM3U",
        "#EXT-X-VERSION:7",
        f"#EXT-X-TARGETDURATION:{longest}",
        "#EXT-X-PLAYLIST-TYPE:VOD",
        "#EXT-X-INDEPENDENT-SEGMENTS",
        f'#EXT-X-MAP:URI="{track.name}.m4s",BYTERANGE="{track.head}@0"',
    ]
    for piece in track.pieces:
        lines += [f"#EXTINF:{piece.end - piece.start:.5f},", f"#EXT-X-BYTERANGE:{piece.size}@{piece.offset}"]
        lines.append(f"{track.name}.m4s")
    return "\n".join([*lines, "#EXT-X-ENDLIST", ""])


def master(pictures: Sequence[tuple[Rendition, Track]], sound: Track | None, frame_rate: float) -> str:
    """The playlist of all sizes. The middle one is first: with that a player begins."""
    lines = ["#EXTM3U", "#EXT-X-VERSION:7", "#EXT-X-INDEPENDENT-SEGMENTS"]
    group = ""
    if sound:
        group = ',AUDIO="sound"'
        lines.append(
            f'#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID="sound",NAME="Sound",DEFAULT=YES,AUTOSELECT=YES,CHANNELS="2",'
            f'URI="{sound.name}.m3u8"'
        )
    middle = len(pictures) // 2
    for rendition, track in [pictures[middle], *pictures[:middle], *pictures[middle + 1 :]]:
        tracks = [track, sound] if sound else [track]
        codecs = ",".join(one.codec for one in tracks)
        peak, average = sum(one.peak for one in tracks), sum(one.average for one in tracks)
        lines += [
            f"#EXT-X-STREAM-INF:BANDWIDTH={peak},AVERAGE-BANDWIDTH={average},RESOLUTION={rendition.width}x{rendition.height},"
            f'FRAME-RATE={frame_rate:.3f},CODECS="{codecs}"{group}',
            f"{track.name}.m3u8",
        ]
    return "\n".join([*lines, ""])
