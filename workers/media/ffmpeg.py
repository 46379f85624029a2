"""Runs ffmpeg, the one in the wheel imageio-ffmpeg, and tells what its failures mean."""

import os
import re
from collections.abc import Callable, Sequence
from functools import cache
from pathlib import Path
from typing import Any

from celery.signals import celeryd_init
from django.conf import settings

from orders.providers.failures import Transient
from workers.media import probing, sandboxed
from workers.media.sandboxed import Heartbeat, Limits

_QUIET = ("-hide_banner", "-nostdin", "-nostats", "-loglevel", "error", "-y")
_processes = 1  # in this pool
_FULL = re.compile(r"no space left on device|disk quota exceeded", re.IGNORECASE)
_UNREADABLE = re.compile(
    r"invalid data found|error while decoding|moov atom not found|could not find codec parameters|picture size|"
    r"error opening input|decode error rate|matches no streams|nothing was written into output|received no packets",
    re.IGNORECASE,
)


class BadVideo(Exception):
    """The video itself cannot be encoded; the message is for whoever sent it."""


class Failed(Exception):
    """ffmpeg failed for an unknown reason: a person must look."""


@cache
def binary() -> str:
    """Path of ffmpeg. Raises RuntimeError when neither the wheel nor the system has one."""
    import imageio_ffmpeg  # here, because most processes that import this module never run it

    return str(imageio_ffmpeg.get_ffmpeg_exe())


def source(file: Path, *before: str) -> list[str]:
    """The arguments that open an untrusted file, with the same limits as the prober."""
    limits = (part for name, value in probing.OPTIONS.items() for part in (f"-{name}", value))
    return [*limits, *before, "-i", f"file:{file}"]


def run(
    arguments: Sequence[str],
    limits: Limits,
    heartbeat: Heartbeat,
    *,
    progress: Callable[[int], None] | None = None,
) -> None:
    """Run ffmpeg with these arguments; `progress` is called with the milliseconds of output that are done.

    Raises Transient (the disk is full, its time was up, the system killed it), BadVideo, Failed, and what sandboxed.run
    raises.
    """
    report = ("-progress", "pipe:1", "-stats_period", "0.5") if progress else ()
    output = Progress(progress or (lambda _: None))
    try:
        ended = sandboxed.run([binary(), *_QUIET, *report, *arguments], limits, heartbeat, output)
    except sandboxed.TooLong as error:
        raise Transient(f"ffmpeg: {error}") from error
    if ended.status == 0:
        return
    heartbeat.beat()  # raises if it was killed because the row was lost
    if _FULL.search(ended.words):
        raise Transient(f"ffmpeg: the disk is full ({ended.words})")
    if ended.status == -9:
        raise Transient(f"ffmpeg was killed by the system, perhaps because memory was short ({ended.words})")
    if _UNREADABLE.search(ended.words):
        raise BadVideo(f"The video is damaged: {ended.said[-1][:300]}")
    raise Failed(f"ffmpeg: {ended.words}")


class Progress:
    """Reads ffmpeg's reports and passes on how many milliseconds of output are done."""

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
    """Threads for each encoder: as the setting says, or this process's share of the processors."""
    return int(settings.MEDIA_THREADS) or max(1, len(os.sched_getaffinity(0)) // _processes)


@celeryd_init.connect
def share_processors(options: dict[str, Any], **_: Any) -> None:
    """A starting node tells how many processes it will have; with `--autoscale=MOST,LEAST` that is the most."""
    global _processes
    most = str(options.get("autoscale") or options.get("concurrency") or 1)
    _processes = max(int(number) for number in re.findall(r"\d+", most) or ["1"])
