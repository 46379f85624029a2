"""What the tasks of the pool do: probe, encode, join and clear a video, for the worker that holds its row.

Any worker may begin each of them at any time, and again after a death: what is done already is not done twice.
"""

import json
import logging
import sys
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any, LiteralString

from django.conf import settings
from django.db import transaction

from orders import sql
from orders.lease import DUE_NOW, ENDED, LeaseLost
from orders.providers.failures import Transient
from shop.videos import checksums
from shop.videos.files import FALLBACK, MASTER, POSTER, THUMBNAILS
from shop.videos.models import Segment, Video
from workers.media import concatenation, ffmpeg, ladder, probing, publishing, sandboxed, thumbnails
from workers.media.concatenation import Track
from workers.media.ffmpeg import BadVideo
from workers.media.leases import MediaLease, SegmentLease, join_if_all_done
from workers.media.sandboxed import Limits
from workers.media.store import Store, store_of

log = logging.getLogger(__name__)

SOUND = "sound"
_PROBER = str(Path(probing.__file__))
_ANSWER = 64 << 20  # bytes; a prober that says more was taken over by a hostile file
# Seconds by the clock; much, because this work has the lowest claim to the processor.
_CLOCK = 1_500.0
_SPARE = 64 << 20

# Keep what the prober found; the segments are encoded next.
_PROBED: LiteralString = sql.compose(
    """
UPDATE videos_video
SET state = 'encoding', duration_ms = %(duration_ms)s, width = %(width)s, height = %(height)s,
    frame_rate = %(frame_rate)s, has_audio = %(has_audio)s, hdr = %(hdr)s, is_interlaced = %(is_interlaced)s, $ended
WHERE id = %(id)s AND holder = %(holder)s AND state = 'waiting'
""",
    ended=ENDED,
)
# The video was cut before: it goes on with its segments.
_RESUMED: LiteralString = sql.compose(
    """
UPDATE videos_video SET state = 'encoding', started_at = now(), $ended
WHERE id = %(id)s AND holder = %(holder)s AND state = 'waiting'
""",
    ended=ENDED,
)
# Its segments that are not done.
_DUE_AGAIN: LiteralString = sql.compose(
    "UPDATE videos_segment SET $due_now WHERE video_id = %(id)s AND done_at IS NULL AND holder IS NULL",
    due_now=DUE_NOW,
)
# All is deleted but what is published.
_CLEARED: LiteralString = sql.compose(
    "UPDATE videos_video SET source = '', $ended WHERE id = %(id)s AND holder = %(holder)s", ended=ENDED
)
# Whether a worker has one of its segments in hand.
_STILL_AT_IT: LiteralString = """
SELECT EXISTS (SELECT FROM videos_segment WHERE video_id = %(id)s AND holder IS NOT NULL AND due_at > now())
"""
# The segments are not needed any more.
_FORGET_SEGMENTS: LiteralString = "DELETE FROM videos_segment WHERE video_id = %(id)s"


def probe(video: Video, lease: MediaLease) -> None:
    """Look into the file and cut it into segments, or go on with those that there are. Raises BadVideo."""
    if not video.segments.exists():
        source = store_of(video, lease).source()
        if wrong := checksums.mismatch(video, source, lease.tick):
            raise BadVideo(wrong)
        found = _look_into(source, lease)
        _cut(video, lease, found)
        return
    with transaction.atomic():
        if not sql.count(_RESUMED, lease.mine):
            raise LeaseLost(f"{video} has another holder")
        sql.count(_DUE_AGAIN, {"id": video.pk})
        join_if_all_done(video.pk)  # what failed may have been the joining


def _look_into(file: Path, lease: MediaLease) -> dict[str, Any]:
    heard = bytearray()

    def hear(content: bytes) -> None:
        heard.extend(content)
        if len(heard) > _ANSWER:
            raise BadVideo("The video is of more frames than can be counted.")

    command = [sys.executable, "-I", _PROBER, str(file), str(settings.MEDIA_SEGMENT_SECONDS)]
    try:
        ended = sandboxed.run(command, Limits(cpu=600, clock=_CLOCK, file=0, memory=2 << 30), lease, hear)
    except sandboxed.TooLong as error:
        raise Transient(f"the prober: {error}") from error
    lease.beat()
    if ended.status == -9:
        raise BadVideo("The video needs more time or memory to be looked at than any may have.")
    if ended.status:
        log.warning("The prober ended with %s", ended.words)
        raise BadVideo("The video is damaged: the program that looks into it broke over it.")
    found: dict[str, Any] = json.loads(heard)
    if "refused" in found:
        raise BadVideo(found["refused"])
    return found


def _cut(video: Video, lease: MediaLease, found: dict[str, Any]) -> None:
    bounds = [0, *found["cuts"], found["picture_ms"]]
    segments = [
        Segment(video=video, number=number, start_ms=start, end_ms=end)
        for number, (start, end) in enumerate(pairwise(bounds), 1)
    ]
    if found["has_audio"]:
        segments.insert(0, Segment(video=video, number=0, start_ms=0, end_ms=found["duration_ms"]))
    with transaction.atomic():
        if not sql.count(_PROBED, {**found, **lease.mine}):
            raise LeaseLost(f"{video} has another holder, or was cancelled")
        Segment.objects.bulk_create(segments)


def encode(segment: Segment, lease: SegmentLease) -> None:
    """Encode a segment in all its sizes, or the sound of the whole; or find that this was done. Raises BadVideo."""
    store = store_of(segment.video, lease)
    if not store.has(segment.number):
        lease.begin_encoding()
        source = store.source()
        with store.workspace(f"{segment.number:05d}") as folder:
            if segment.number:
                _encode_pictures(segment, source, folder, lease)
            else:
                _encode_sound(segment, source, folder, lease)
            lease.beat()
            store.save(segment.number, folder)
    lease.finish(segment)


def _encode_pictures(segment: Segment, source: Path, folder: Path, lease: SegmentLease) -> None:
    video, start = segment.video, segment.start_ms
    width, height, whole = _measures(video)
    is_last = not video.segments.filter(number=segment.number + 1).exists()
    end = whole if is_last else segment.end_ms
    renditions = ladder.renditions(width, height)
    repairs = ladder.repairs(video.hdr, video.is_interlaced, video.frame_rate, renditions[0])
    if end > segment.end_ms:
        repairs.append(ladder.still_until(segment.end_ms, end))
    seconds = (end - start) / 1000
    arguments = [
        # A cut is less than 2 ms before its frame: so the key frame there is found, and no earlier one decoded.
        *("-copyts", "-start_at_zero", "-noaccurate_seek"),
        *("-ss", f"{(start + 2) / 1000 if start else 0:.3f}"),
        *ffmpeg.source(source, "-threads", str(ffmpeg.threads())),
        *("-filter_complex", ladder.picture_graph(renditions, start, None if is_last else end, repairs)),
    ]
    for number, rendition in enumerate(renditions):
        arguments += ladder.picture_output(
            number,
            rendition,
            folder / f"{rendition.name}.mp4",
            ticks=ladder.timescale(video.frame_rate),
            start_ms=start,
            index=segment.number * 1_000,
            threads=ffmpeg.threads(),
        )
    limits = Limits(
        cpu=300 + 120 * seconds,
        clock=_CLOCK,
        file=_SPARE + int(renditions[0].kbits * 1_000 / 8 * seconds * 4),
    )
    ffmpeg.run(arguments, limits, lease, progress=_telling(lease, segment, start))
    for rendition in renditions:
        if not (folder / f"{rendition.name}.mp4").stat().st_size:
            raise BadVideo(f"There is no picture from {start / 1000:.0f} s on that can be decoded.")


def _encode_sound(segment: Segment, source: Path, folder: Path, lease: SegmentLease) -> None:
    seconds = segment.end_ms / 1000
    arguments = [
        *ffmpeg.source(source, "-threads", "1"),
        *ladder.sound_output(folder / f"{SOUND}.mp4", segment.end_ms),
    ]
    limits = Limits(cpu=120 + seconds, clock=_CLOCK, file=_SPARE + int(seconds * 64_000))
    ffmpeg.run(arguments, limits, lease, progress=_telling(lease, segment, 0))


def _telling(lease: SegmentLease, segment: Segment, start: int) -> Any:
    """Notes for the next beat how much of the segment is encoded."""

    def tell(ms: int) -> None:
        lease.done_ms = max(lease.done_ms, min(ms, segment.end_ms) - start)

    return tell


def join(video: Video, lease: MediaLease) -> None:
    """Put the segments end to end, add what else a player needs, and publish it all at once."""
    store = store_of(video, lease)
    if not store.is_published():
        with store.workspace("join") as folder, store.workspace("parts") as parts:
            _make(video, store, folder, parts, lease)
            lease.beat()
            store.publish(folder)
    publishing.publish(video, lease)


def _make(video: Video, store: Store, folder: Path, parts: Path, lease: MediaLease) -> None:
    width, height, whole = _measures(video)
    numbers = list(video.segments.filter(number__gt=0).order_by("number").values_list("number", flat=True))
    renditions, end = ladder.renditions(width, height), whole / 1000

    def files(name: str, of: list[int]) -> Iterator[Path]:
        return (store.segment_file(number, f"{name}.mp4", parts) for number in of)

    def track(name: str, of: list[int]) -> Track:
        return concatenation.concatenate(name, files(name, of), folder / f"{name}.m4s", end, lease.tick)

    pictures = [(rendition, track(rendition.name, numbers)) for rendition in renditions]
    sound = track(SOUND, [0]) if video.has_audio else None
    for made in (*(pictured for _, pictured in pictures), *([sound] if sound else [])):
        (folder / f"{made.name}.m3u8").write_text(concatenation.playlist(made))
    (folder / MASTER).write_text(concatenation.master(pictures, sound, ladder.shown_rate(video.frame_rate)))
    _fallback(renditions, folder, sound, lease)
    _stills(pictures, folder, end, lease)


def _fallback(
    renditions: list[ladder.Rendition], folder: Path, sound: Track | None, lease: MediaLease
) -> None:
    """One file for players without HLS: a middle size and the sound, copied."""
    picture = folder / f"{ladder.fallback(renditions).name}.m4s"
    arguments = ["-i", f"file:{picture}"]
    if sound:
        arguments += ["-i", f"file:{folder / SOUND}.m4s", "-map", "0:v", "-map", "1:a"]
    arguments += ["-c", "copy", "-movflags", "+faststart", str(folder / FALLBACK)]
    ffmpeg.run(arguments, _limits(folder), lease)


def _stills(
    pictures: list[tuple[ladder.Rendition, Track]], folder: Path, end: float, lease: MediaLease
) -> None:
    """The poster (of the first key frames the one most like all of them) and the thumbnails."""
    top, smallest = pictures[0][1], pictures[-1]
    arguments = ["-threads", "1", "-skip_frame", "nokey", "-i", f"file:{folder / top.name}.m4s"]
    arguments += ["-vf", f"thumbnail={min(max(len(top.keys), 2), 8)}", "-frames:v", "1"]
    arguments += ["-q:v", "3", "-update", "1"]
    ffmpeg.run([*arguments, str(folder / POSTER)], _limits(folder), lease)
    rendition, track = smallest
    sheets = thumbnails.layout(rendition, len(track.keys))
    arguments = ["-threads", "1", "-skip_frame", "nokey", "-i", f"file:{folder / track.name}.m4s"]
    ffmpeg.run([*arguments, *thumbnails.sheets_output(sheets, folder)], _limits(folder), lease)
    (folder / THUMBNAILS).write_text(thumbnails.vtt(sheets, track.keys, end))


def _limits(folder: Path) -> Limits:
    """For a program that reads our own files: it writes none that is larger than all of them."""
    size = sum(file.stat().st_size for file in folder.iterdir())
    return Limits(cpu=_CLOCK, clock=_CLOCK, file=_SPARE + 2 * size)


def _measures(video: Video) -> tuple[int, int, int]:
    """(width, height, milliseconds) of a video that was probed."""
    if not (video.width and video.height and video.duration_ms):
        raise ValueError(f"{video} is {video.state} and was never probed")
    return video.width, video.height, video.duration_ms


def clear(video: Video, lease: MediaLease) -> bool:
    """Delete what is not needed any more. False if a worker still has one of the segments."""
    if sql.rows(_STILL_AT_IT, {"id": video.pk})[0][0]:
        return False
    is_public = video.state == Video.State.PUBLISHED
    store_of(video, lease).clear(public=not is_public)
    with transaction.atomic():
        if not sql.count(_CLEARED, lease.mine):
            raise LeaseLost(f"{video} has another holder")
        if not is_public:
            sql.count(_FORGET_SEGMENTS, {"id": video.pk})
    return True
