"""Looks into an uploaded file: is it a video, what is in it, and where can it be cut? A program, run in the sandbox:

    python -I probing.py FILE SECONDS

It writes one line of JSON: {"refused": why}, or what it found. PyAV is ffmpeg's library inside the process, so a file
that breaks it must break this process only: it imports neither Django nor anything that knows a password. The content
decides what the file is, by a short list of containers and codecs; its name does not count.
"""

import json
import math
import sys
from collections.abc import Sequence
from fractions import Fraction
from itertools import islice, pairwise
from pathlib import Path
from typing import Any

# As ffmpeg names them: MP4 with MOV, Matroska with WebM.
CONTAINERS = ("mov,mp4,m4a,3gp,3g2,mj2", "matroska,webm")
PICTURE = {"h264", "hevc", "vp8", "vp9", "av1", "mpeg4", "mpeg2video", "prores", "mjpeg", "dnxhd"}
SOUND = {"aac", "mp3", "opus", "vorbis", "ac3", "eac3", "flac", "alac", "mp2"}
LONGEST_HOURS = 4
WIDEST = 8_192  # pixels a side
MOST_PIXELS = 8_192 * 4_608
# Transfer characteristics of HDR by their numbers in ITU-T H.273.
HDR = {16: "pq", 18: "hlg"}
_TAIL = 0.5  # seconds that a sound may be longer than the picture without being worth a still one
_LOOKED_AT = 10  # frames at the beginning that tell whether the picture is interlaced
_GAP_MS = 2  # between frames that may be cut apart; a cut is up to 1 ms before its first frame

# For all that opens an uploaded file: these containers, no protocol but files, no larger pictures.
OPTIONS = {
    "protocol_whitelist": "file,pipe",
    "format_whitelist": ",".join(CONTAINERS),
    "max_pixels": str(MOST_PIXELS),
}


class Refuse(Exception):
    """No video can be made of the file; the message is for people."""


def cuts(frames: Sequence[tuple[float, bool]], target: float) -> list[int]:
    """Where to cut, in milliseconds: just before the frames that begin a segment.

    `frames` are (milliseconds, whether it is a key frame) in the order of showing. The best cut is before a key frame
    about `target` seconds after the last one. If none comes for twice as long, the cut is before an ordinary frame, and
    the worker decodes from the key frame before it. A short rest at the end is not a segment of its own.
    """
    found: list[int] = []
    last = frames[0][0] if frames else 0.0
    for (before, _), (at, key) in pairwise(frames):
        length = at - last
        if at - before >= _GAP_MS and (length >= 2_000 * target or (key and length >= 750 * target)):
            found.append(math.ceil(at) - 1)
            last = at
    if found and frames[-1][0] - last < 300 * target:
        found.pop()
    return found


def segment_seconds(duration: float, longest: float) -> float:
    """The target length: short enough to share a short video among workers, long enough to be worth the start."""
    return min(longest, max(duration / 12, 2.0))


def probe(path: str, longest: float) -> dict[str, Any]:
    """What is in the file. Raises Refuse."""
    import av  # here, so that importing this module for its rules does not load a decoder

    size = Path(path).stat().st_size
    if not size:
        raise Refuse("The file is empty.")
    try:
        container = av.open(f"file:{path}", options=OPTIONS, metadata_errors="replace")
    except av.error.FFmpegError as error:
        raise Refuse(
            "This is not a video that can be read here: it must be an MP4 (or MOV), Matroska or WebM file, "
            f"whatever its name says ({_reason(error)})."
        ) from error
    with container:
        if container.format.name not in CONTAINERS:
            raise Refuse("This is no MP4 (or MOV), Matroska or WebM file.")
        if container.format.name.startswith("mov"):
            _check_boxes(path, size)
        return _look(container, longest)


def _look(container: Any, longest: float) -> dict[str, Any]:
    import av
    from av.stream import Disposition

    pictures = [
        stream for stream in container.streams.video if not stream.disposition & Disposition.attached_pic
    ]
    if not pictures:
        raise Refuse("The file has no picture.")
    stream, sounds = pictures[0], container.streams.audio
    codec = stream.codec_context.name if stream.codec_context else "unknown"
    if (stream.codec.canonical_name if stream.codec_context else codec) not in PICTURE:
        raise Refuse(
            f"Its picture is encoded as {codec}, which is not supported. Send H.264, H.265, VP9 or AV1."
        )
    if sounds and not (
        sounds[0].codec_context
        and (sounds[0].codec.canonical_name in SOUND or sounds[0].codec.canonical_name.startswith("pcm_"))
    ):
        raise Refuse("The encoding of its sound is not supported. Send AAC, MP3 or Opus.")
    width, height = stream.codec_context.width, stream.codec_context.height
    if not (0 < width <= WIDEST and 0 < height <= WIDEST and width * height <= MOST_PIXELS):
        measured = f"is {width} × {height}" if width and height else "is too large"
        raise Refuse(f"Its picture {measured}; at most {WIDEST} a side and 8K in all are supported.")
    claimed = (container.duration or 0) / av.time_base
    _check_length(claimed)
    origin = Fraction(container.start_time or 0, av.time_base)
    rotation, ratio, interlaced = _first_frames(container, stream)
    frames, end, heard = _frames(container, stream, sounds[0] if sounds else None, origin)
    _check_length(end)
    shown = round(width * ratio), height
    if rotation % 180:
        shown = shown[1], shown[0]
    target = segment_seconds(end, longest)
    return {
        # A sound that goes on is heard to its end, while the last picture stays.
        "duration_ms": math.ceil((heard if heard > end + _TAIL else end) * 1_000),
        "picture_ms": math.ceil(end * 1_000),
        "width": shown[0],
        "height": shown[1],
        "frame_rate": str(Fraction(stream.average_rate or stream.base_rate or 25).limit_denominator(10_000)),
        "has_audio": bool(sounds),
        "hdr": HDR.get(int(stream.codec_context.color_trc), ""),
        "is_interlaced": interlaced,
        "frames": len(frames),
        "cuts": cuts(frames, target),
    }


def _first_frames(container: Any, stream: Any) -> tuple[int, float, bool]:
    """(rotation in degrees, width of a pixel by its height, whether they are interlaced) of the first that decode."""
    import av

    found, interlaced = None, False
    try:
        for frame in islice(container.decode(stream), _LOOKED_AT):
            ratio = float(stream.sample_aspect_ratio or 1) or 1.0
            found = found or (frame.rotation, ratio if 0.1 < ratio < 10 else 1.0)
            interlaced = interlaced or frame.interlaced_frame
    except av.error.FFmpegError as error:
        if found is None:
            raise Refuse(f"Its picture cannot be decoded ({_reason(error)}).") from error
    if found is None:
        raise Refuse("Not a single frame of its picture can be decoded.")
    return *found, interlaced


def _frames(
    container: Any, stream: Any, sound: Any, origin: Fraction
) -> tuple[list[tuple[float, bool]], float, float]:
    """(milliseconds, whether it is a key frame) of each frame in the order of showing; and where picture and sound end,
    in seconds."""
    import av

    container.seek(container.start_time or 0, backward=True)
    base, found, end, heard = stream.time_base, [], Fraction(0), Fraction(0)
    ticks = Fraction(1, stream.average_rate) if stream.average_rate else Fraction(1, 25)
    try:
        for packet in container.demux([stream] if sound is None else [stream, sound]):
            if packet.pts is None or packet.is_discard or not packet.size:
                continue
            _check_length(float(packet.pts * packet.time_base - origin))
            if packet.stream is sound:
                heard = max(heard, (packet.pts + (packet.duration or 0)) * packet.time_base)
                continue
            found.append((packet.pts, packet.is_keyframe, packet.is_corrupt))
            end = max(end, packet.pts * base + (packet.duration * base if packet.duration else ticks))
    except av.error.FFmpegError as error:
        raise Refuse(f"The file is damaged or ends early ({_reason(error)}).") from error
    if not found or any(corrupt for _, _, corrupt in found[-3:]):
        raise Refuse("The file is damaged or ends early: send it again.")
    found.sort()
    shift, scale = float(origin * 1_000), float(base * 1_000)
    shown = [(pts * scale - shift, key) for pts, key, _ in found]
    return shown, float(end - origin), float(heard - origin)


def _check_boxes(path: str, size: int) -> None:
    """An MP4 file is boxes from end to end. Refuse one that hides another kind of file behind them."""
    with Path(path).open("rb") as file:
        offset = 0
        while offset < size:
            file.seek(offset)
            header = file.read(16)
            length, kind = int.from_bytes(header[:4], "big"), header[4:8]
            if length == 1:
                length = int.from_bytes(header[8:16], "big")
            elif length == 0 and kind in (b"mdat", b"free"):
                return  # this box declares that it reaches to the end of the file
            if not header.strip(b"\0") and offset:
                offset += 16  # padding
                continue
            if length < 8 or not all(0x20 <= letter < 0x7F or letter == 0xA9 for letter in kind):
                raise Refuse("There is something else in the file besides the video.")
            if offset + length > size:
                if kind in (b"mdat", b"moov", b"moof", b"free", b"skip", b"uuid", b"meta"):
                    raise Refuse("The file ends early: send it again.")
                raise Refuse("There is something else in the file besides the video.")
            offset += length


def _reason(error: Exception) -> str:
    return str(getattr(error, "strerror", "") or type(error).__name__)


def _check_length(seconds: float) -> None:
    if seconds > LONGEST_HOURS * 3_600:
        raise Refuse(
            f"It claims to be {seconds / 3_600:,.1f} hours long; {LONGEST_HOURS} hours is the longest."
        )


if __name__ == "__main__":
    try:
        answer = probe(sys.argv[1], float(sys.argv[2]))
    except Refuse as why:
        answer = {"refused": str(why)}
    sys.stdout.write(json.dumps(answer))
