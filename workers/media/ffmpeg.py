"""Runs ffmpeg, the one that comes in the wheel imageio-ffmpeg, and tells what its failures mean."""

import os
import re
from collections.abc import Callable, Sequence
from functools import cache
from pathlib import Path
from typing import Any

from celery.signals import celeryd_init
from django.conf import settings

from orders.providers.failures import Transient
from workers.media import sandboxed
from workers.media.sandboxed import Lead, Limits

# Of what comes from outside: these containers, no protocol but files, no picture beyond what the prober lets through.
FROM_OUTSIDE = (
    *("-protocol_whitelist", "file,pipe"),
    *("-format_whitelist", "mov,mp4,m4a,3gp,3g2,mj2,matroska,webm"),
)
MAX_PIXELS = str(8_192 * 4_608)
_QUIETLY = ("-hide_banner", "-nostdin", "-nostats", "-loglevel", "error", "-y")
_processes = 1  # of this pool
_FULL = re.compile(r"no space left on device|disk quota exceeded", re.IGNORECASE)
_UNREADABLE = re.compile(
    r"invalid data found|error while decoding|moov atom not found|could not find codec parameters|picture size|"
    r"error opening input|decode error rate|matches no streams|nothing was written into output|received no packets",
    re.IGNORECASE,
)


class BadVideo(Exception):
    """The video itself is what cannot be made; the message is for whoever sent it."""


class Failed(Exception):
    """ffmpeg failed, and nobody knows why: a person must look."""


@cache
def binary() -> str:
    """Where ffmpeg lies: in the wheel. Raises RuntimeError where neither it nor the system has one."""
    import imageio_ffmpeg  # most that import this module never run it

    return str(imageio_ffmpeg.get_ffmpeg_exe())


def source(file: Path, *before: str) -> list[str]:
    """The arguments that open a file from outside."""
    return [*FROM_OUTSIDE, "-max_pixels", MAX_PIXELS, *before, "-i", f"file:{file}"]


def run(
    arguments: Sequence[str], limits: Limits, lead: Lead, *, progress: Callable[[int], None] | None = None
) -> None:
    """Run it with these arguments; `progress` is told how many milliseconds of output there are.

    Raises Transient (the disk is full, its time was up, the system killed it), BadVideo, Failed, and what
    sandboxed.run raises.
    """
    report = ("-progress", "pipe:1", "-stats_period", "0.5") if progress else ()
    heard = Progress(progress or (lambda _: None))
    try:
        ended = sandboxed.run([binary(), *_QUIETLY, *report, *arguments], limits, lead, heard)
    except sandboxed.TooLong as error:
        raise Transient(f"ffmpeg: {error}") from error
    if ended.status == 0:
        return
    lead.beat()  # who was killed because the row was lost says so, and not that it was killed
    if _FULL.search(ended.words):
        raise Transient(f"ffmpeg: the disk is full ({ended.words})")
    if ended.status == -9:
        raise Transient(f"ffmpeg was killed from outside, for want of memory perhaps ({ended.words})")
    if _UNREADABLE.search(ended.words):
        raise BadVideo(f"The video is damaged: {ended.said[-1][:300]}")
    raise Failed(f"ffmpeg: {ended.words}")


class Progress:
    """Hears how far ffmpeg is, in milliseconds of its output's time, and tells."""

    _TIME = re.compile(rb"out_time_us=(-?\d+)")

    def __init__(self, tell: Callable[[int], None]) -> None:
        self._tell = tell
        self._rest = b""

    def __call__(self, content: bytes) -> None:
        *lines, self._rest = (self._rest + content).split(b"\n")
        for line in lines:
            if found := self._TIME.match(line):
                self._tell(int(found[1]) // 1000)


def threads() -> int:
    """Threads for each encoder: as many as the setting says, or this process's share of the processors."""
    return int(settings.MEDIA_THREADS) or max(1, len(os.sched_getaffinity(0)) // _processes)


@celeryd_init.connect
def share_processors(options: dict[str, Any], **_: Any) -> None:
    """A node begins, and says how many processes it will have: with `--autoscale=MOST,LEAST` the most."""
    global _processes
    most = str(options.get("autoscale") or options.get("concurrency") or 1)
    _processes = max(int(number) for number in re.findall(r"\d+", most) or ["1"])
