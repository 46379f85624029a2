"""Runs a program that reads what comes from outside (ffmpeg, the prober), locked up and always on the lead.

- Limits on processor time, memory, the size of a file it writes, and time by the clock; a process group of its own.
- No network: the kernel refuses it every socket (seccomp), and where we may make one it has a network namespace of its
  own, in which there is nobody.
- No environment: it knows no password. No new privileges.
- It stands back for everybody: nice 19 and SCHED_IDLE, with which the disk's idle class comes. And it stands still
  (SIGSTOP) while its lead says so: with the lowest priority alone, orders still ended later (docs/figures.md).
- It never outlives whoever started it: the kernel kills it when this process dies (PR_SET_PDEATHSIG), and this process
  kills it when its own parent died, when its row is no longer its own, or when it could not ask for so long that the
  row may be somebody else's by now. That last is a thread, for whoever asks a frozen database hangs himself.
"""

import contextlib
import ctypes
import errno
import os
import resource
import selectors
import signal
import struct
import subprocess
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Protocol, cast

_libc = ctypes.CDLL(None, use_errno=True)
_CLONE_NEWUSER, _CLONE_NEWNET = 0x10000000, 0x40000000
_PR_SET_PDEATHSIG, _PR_SET_SECCOMP, _PR_SET_NO_NEW_PRIVS = 1, 22, 38
_SECCOMP_MODE_FILTER = 2

BEAT = 1.0  # seconds between beats
_WATCH = 0.25  # seconds between looks of the thread
_SAID = 60  # lines of complaints that are kept
_LINE = 500  # characters of each


# By machine: how the kernel names its calls (AUDIT_ARCH_…), and the number of socket(2).
_MACHINES = {"x86_64": (0xC000003E, 41), "aarch64": (0xC00000B7, 198)}
_IO_URING_SETUP = 425  # makes sockets too


def _no_sockets() -> bytes:
    """The filter of system calls, as the kernel reads it (linux/filter.h); empty for a machine that is not known."""
    if os.uname().machine not in _MACHINES:
        return b""
    machine, socket = _MACHINES[os.uname().machine]
    load, equal, at_least, answer = 0x20, 0x15, 0x35, 0x06
    return b"".join(
        struct.pack("HBBI", *line)
        for line in (
            (load, 0, 0, 4),
            (equal, 0, 5, machine),  # calls of another kind of machine are refused
            (load, 0, 0, 0),
            (at_least, 3, 0, 0x40000000),  # and so are those of x32
            (equal, 2, 0, socket),
            (equal, 1, 0, _IO_URING_SETUP),
            (answer, 0, 0, 0x7FFF0000),  # allowed
            (answer, 0, 0, 0x00050000 | errno.EPERM),
        )
    )


class _Filter(ctypes.Structure):
    _fields_ = [("length", ctypes.c_ushort), ("lines", ctypes.c_char_p)]


_LINES = _no_sockets()
_FILTER = _Filter(len(_LINES) // 8, _LINES)


class Orphaned(Exception):
    """The worker's main process died: its children do nothing more."""


class TooLong(Exception):
    """It ran out of its time by the clock."""


class Lead(Protocol):
    """Whoever holds the row for which a program runs."""

    def beat(self) -> bool:
        """Say that it goes on, and learn whether it is to stand still until the next beat; raises when it is to end."""

    @property
    def valid_until(self) -> float:
        """Until when (time.monotonic) the row is surely held."""


@dataclass(frozen=True, slots=True)
class Limits:
    """What the program may use: seconds of processor, seconds by the clock, bytes of each file and of memory."""

    cpu: float
    clock: float
    file: int
    memory: int = 4 << 30


@dataclass(frozen=True, slots=True)
class Ended:
    """How it ended: 0, an exit status, or a signal as a negative number; and the last that it complained of."""

    status: int
    said: list[str]

    @property
    def words(self) -> str:
        how = f"killed by {signal.Signals(-self.status).name}" if self.status < 0 else f"status {self.status}"
        return f"{how}: {' | '.join(self.said[-5:])}" if self.said else how


def run(
    command: Sequence[str],
    limits: Limits,
    lead: Lead,
    heard: Callable[[bytes], None],
    folder: Path | None = None,
) -> Ended:
    """Run it to its end; `heard` gets what it writes to its standard output, as it comes.

    Raises what `lead.beat` raises, Orphaned, TooLong and OSError; whatever is raised, the program is dead by then.
    """
    parent, me = os.getppid(), os.getpid()
    process = subprocess.Popen(
        command,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        cwd=folder,
        env={"PATH": "/usr/bin:/bin", "LANG": "C.UTF-8"},
        # A group, to be killed as one, but no session: Linux deals out processors by session first (sched_autogroup),
        # and in one of its own nice and SCHED_IDLE would mean nothing to anybody else.
        process_group=0,
        preexec_fn=lambda: _confine(limits, me),  # no other thread runs at this moment
    )
    done = threading.Event()
    watch = threading.Thread(target=_watch, args=(process, lead, done), daemon=True, name="watch")
    try:
        watch.start()
        return _follow(process, limits, lead, heard, parent)
    finally:
        done.set()
        _kill(process)
        for pipe in (process.stdout, process.stderr):
            if pipe:
                pipe.close()
        process.wait()
        watch.join()


def _follow(
    process: "subprocess.Popen[bytes]",
    limits: Limits,
    lead: Lead,
    heard: Callable[[bytes], None],
    parent: int,
) -> Ended:
    said: deque[str] = deque(maxlen=_SAID)
    still, now = False, time.monotonic()
    until, next_beat = now + limits.clock, now
    rest = b""
    with selectors.DefaultSelector() as pipes:
        for one in (process.stdout, process.stderr):
            pipe = cast(IO[bytes], one)
            os.set_blocking(pipe.fileno(), False)
            pipes.register(pipe, selectors.EVENT_READ)
        while pipes.get_map():
            for key, _ in pipes.select(max(0.0, min(next_beat, until) - time.monotonic())):
                pipe = cast(IO[bytes], key.fileobj)
                content = _read(pipe)
                if content == b"":
                    pipes.unregister(pipe)
                elif pipe is process.stdout:
                    heard(content or b"")
                elif content:
                    *lines, rest = (rest + content).split(b"\n")
                    rest = rest[-_LINE:]
                    said.extend(line[:_LINE].decode(errors="replace").strip() for line in lines)
            before, now = now, time.monotonic()
            if still:
                until += now - before
            if now >= until:
                raise TooLong(f"it was not done after {limits.clock:.0f} s")
            if now >= next_beat:
                if os.getppid() != parent:
                    raise Orphaned("the worker's main process died")
                still = _stand(process, still, lead.beat())
                next_beat = time.monotonic() + BEAT
    _stand(process, still, False)  # it had closed its pipes, and was told to while it was ending
    if rest:
        said.append(rest.decode(errors="replace").strip())
    return Ended(process.wait(), [line for line in said if line])


def _read(pipe: IO[bytes]) -> bytes | None:
    """What lies in the pipe; b"" at its end, None when there is nothing yet."""
    try:
        return os.read(pipe.fileno(), 1 << 16)
    except BlockingIOError:
        return None


def _watch(process: "subprocess.Popen[bytes]", lead: Lead, done: threading.Event) -> None:
    """Kill the program when nobody could say for too long that its row is still ours."""
    while not done.wait(_WATCH):
        if time.monotonic() > lead.valid_until:
            _kill(process)
            return


def _stand(process: "subprocess.Popen[bytes]", still: bool, wanted: bool) -> bool:
    """Have it stand still, or go on; returns which it does now."""
    if wanted is not still and process.poll() is None:
        os.killpg(process.pid, signal.SIGSTOP if wanted else signal.SIGCONT)
    return wanted


def _kill(process: "subprocess.Popen[bytes]") -> None:
    """The program with all that it may have started. Not yet waited for, its number is nobody else's."""
    if process.returncode is None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)


def _confine(limits: Limits, parent: int) -> None:
    """In the child, before it becomes the program: from here on nothing may be imported or waited for."""
    _libc.unshare(_CLONE_NEWUSER | _CLONE_NEWNET)  # refused in many a container; the filter is not
    _libc.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
    cpu = max(1, int(limits.cpu))
    resource.setrlimit(resource.RLIMIT_CPU, (cpu, cpu + 1))
    resource.setrlimit(resource.RLIMIT_AS, (limits.memory, limits.memory))
    resource.setrlimit(resource.RLIMIT_FSIZE, (limits.file, limits.file))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_NOFILE, (256, 256))
    os.nice(19)
    os.sched_setscheduler(0, os.SCHED_IDLE, os.sched_param(0))
    # After the namespaces: what changes credentials forgets it.
    _libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    if os.getppid() != parent:
        os._exit(1)  # it died before we could be told
    if _LINES and _libc.prctl(_PR_SET_SECCOMP, _SECCOMP_MODE_FILTER, ctypes.byref(_FILTER), 0, 0):
        os._exit(1)
