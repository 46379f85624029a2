"""Waits for processes to end, whoever their parent is."""

import time
from collections.abc import Iterable

import psutil

_LOOK_SECONDS = 0.01


def wait_ended(processes: Iterable[psutil.Process], seconds: float) -> list[psutil.Process]:
    """Wait until all have ended, for so long at most; returns those that have not.

    One that ended and waits to be reaped has ended: it holds neither memory nor ports. Its parent may have died, and
    whoever inherits it, a container's or a small machine's first process, may come by every few seconds only.
    """
    until = time.monotonic() + seconds
    left = list(processes)
    while (left := [one for one in left if _runs(one)]) and time.monotonic() < until:
        time.sleep(_LOOK_SECONDS)
    return left


def _runs(process: psutil.Process) -> bool:
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False
