"""Runs a program that reads untrusted files (ffmpeg, the prober) in a sandbox, and never lets go of it.

- Limits on processor time, memory, the size of a file that it writes, and time by the clock; a process group of its
  own.
- No network: the kernel refuses it every socket (seccomp), and where we may create one, it has an empty network
  namespace.
- No environment, so it knows no password. No new privileges.
- It runs behind everything else: nice 19 and SCHED_IDLE, which also means the disk's idle class. It is stopped
  (SIGSTOP) while its heartbeat says so: with the lowest priority alone, orders still took longer (docs/figures.md).
- It never outlives its parent: the kernel kills it when this process dies (PR_SET_PDEATHSIG). This process kills it
  when its own parent died, when the row is no longer ours, or when nobody could renew the lease for so long that
  another worker may hold the row. For the last there is a thread, because who waits for a frozen database is frozen
  too.
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
from typing import IO, Protocol, cast

_libc = ctypes.CDLL(None, use_errno=True)
_CLONE_NEWUSER, _CLONE_NEWNET = 0x10000000, 0x40000000
_PR_SET_PDEATHSIG, _PR_SET_SECCOMP, _PR_SET_NO_NEW_PRIVS = 1, 22, 38
_SECCOMP_MODE_FILTER = 2

BEAT = 1.0  # seconds between heartbeats
_WATCH = 0.25  # seconds between checks of the thread
_SAID = 60  # lines of standard error that are kept
_LINE = 500  # characters of each

# By machine: the kernel's number of it (AUDIT_ARCH_…), and the number of the system call socket(2).
_MACHINES = {"x86_64": (0xC000003E, 41), "aarch64": (0xC00000B7, 198)}
_IO_URING_SETUP = 425  # makes sockets too


def _no_sockets() -> bytes:
    """The filter of system calls in the kernel's format (linux/filter.h); empty for an unknown machine."""
    if os.uname().machine not in _MACHINES:
        return b""
    machine, socket = _MACHINES[os.uname().machine]
    load, equal, at_least, verdict = 0x20, 0x15, 0x35, 0x06
    return b"".join(
        struct.pack("HBBI", *line)
        for line in (
            (load, 0, 0, 4),
            (equal, 0, 5, machine),  # refuse calls of another machine
            (load, 0, 0, 0),
            (at_least, 3, 0, 0x40000000),  # and those of x32
            (equal, 2, 0, socket),
            (equal, 1, 0, _IO_URING_SETUP),
            (verdict, 0, 0, 0x7FFF0000),  # allowed
            (verdict, 0, 0, 0x00050000 | errno.EPERM),
        )
    )


class _Filter(ctypes.Structure):
    _fields_ = [("length", ctypes.c_ushort), ("lines", ctypes.c_char_p)]


_LINES = _no_sockets()
_FILTER = _Filter(len(_LINES) // 8, _LINES)


class Orphaned(Exception):
    """The worker's main process died, so its children stop."""


class TooLong(Exception):
    """Its time by the clock is up."""


class Heartbeat(Protocol):
    """The lease of the row that the program works for."""

    def beat(self) -> bool:
        """Renew it. Returns whether the program must pause until the next beat; raises when it must end."""

    @property
    def valid_until(self) -> float:
        """Until when (time.monotonic) the row is certainly ours."""


@dataclass(frozen=True, slots=True)
class Limits:
    """What the program may use: seconds of processor and by the clock, bytes of each file and of memory."""

    cpu: float
    clock: float
    file: int
    memory: int = 4 << 30


@dataclass(frozen=True, slots=True)
class Ended:
    """How it ended: an exit status, or a signal as a negative number; and the last lines of its standard error."""

    status: int
    said: list[str]

    @property
    def words(self) -> str:
        how = f"killed by {signal.Signals(-self.status).name}" if self.status < 0 else f"status {self.status}"
        return f"{how}: {' | '.join(self.said[-5:])}" if self.said else how


def run(
    command: Sequence[str], limits: Limits, heartbeat: Heartbeat, on_output: Callable[[bytes], None]
) -> Ended:
    """Run the command to its end; `on_output` gets its standard output as it comes.

    Raises what `heartbeat.beat` raises, Orphaned, TooLong and OSError. Whatever is raised, the program is dead by then.
    """
    parent, me = os.getppid(), os.getpid()
    process = subprocess.Popen(
        command,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env={"PATH": "/usr/bin:/bin", "LANG": "C.UTF-8"},
        # A group, to be killed as one, but no session: Linux shares processors between sessions first
        # (sched_autogroup), so in a session of its own nice and SCHED_IDLE would have no effect on others.
        process_group=0,
        preexec_fn=lambda: _confine(limits, me),  # safe, because no other thread runs at this moment
    )
    done = threading.Event()
    watch = threading.Thread(target=_watch, args=(process, heartbeat, done), daemon=True, name="watch")
    try:
        watch.start()
        return _follow(process, limits, heartbeat, on_output, parent)
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
    heartbeat: Heartbeat,
    on_output: Callable[[bytes], None],
    parent: int,
) -> Ended:
    said: deque[str] = deque(maxlen=_SAID)
    paused, now = False, time.monotonic()
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
                    on_output(content or b"")
                elif content:
                    *lines, rest = (rest + content).split(b"\n")
                    rest = rest[-_LINE:]
                    said.extend(line[:_LINE].decode(errors="replace").strip() for line in lines)
            before, now = now, time.monotonic()
            if paused:
                until += now - before
            if now >= until:
                raise TooLong(f"it was not done after {limits.clock:.0f} s")
            if now >= next_beat:
                if os.getppid() != parent:
                    raise Orphaned("the worker's main process died")
                paused = _pause(process, paused, heartbeat.beat())
                next_beat = time.monotonic() + BEAT
    _pause(process, paused, False)  # it may have been paused while it was ending
    if rest:
        said.append(rest.decode(errors="replace").strip())
    return Ended(process.wait(), [line for line in said if line])


def _read(pipe: IO[bytes]) -> bytes | None:
    """What is in the pipe; b"" at its end, None when there is nothing yet."""
    try:
        return os.read(pipe.fileno(), 1 << 16)
    except BlockingIOError:
        return None


def _watch(process: "subprocess.Popen[bytes]", heartbeat: Heartbeat, done: threading.Event) -> None:
    """Kill the program when its lease could not be renewed in time."""
    while not done.wait(_WATCH):
        if time.monotonic() > heartbeat.valid_until:
            _kill(process)
            return


def _pause(process: "subprocess.Popen[bytes]", paused: bool, wanted: bool) -> bool:
    """Pause it, or let it go on; returns whether it is paused now."""
    if wanted is not paused and process.poll() is None:
        os.killpg(process.pid, signal.SIGSTOP if wanted else signal.SIGCONT)
    return wanted


def _kill(process: "subprocess.Popen[bytes]") -> None:
    """Kill the program and all that it started. Until it was waited for, nobody else can have its number."""
    if process.returncode is None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)


def _confine(limits: Limits, parent: int) -> None:
    """In the child, before it becomes the program. Nothing may be imported or waited for here."""
    _libc.unshare(_CLONE_NEWUSER | _CLONE_NEWNET)  # many containers refuse this, but not the filter
    _libc.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
    cpu = max(1, int(limits.cpu))
    resource.setrlimit(resource.RLIMIT_CPU, (cpu, cpu + 1))
    resource.setrlimit(resource.RLIMIT_AS, (limits.memory, limits.memory))
    resource.setrlimit(resource.RLIMIT_FSIZE, (limits.file, limits.file))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_NOFILE, (256, 256))
    os.nice(19)
    os.sched_setscheduler(0, os.SCHED_IDLE, os.sched_param(0))
    # After the namespaces, because a change of credentials resets it.
    _libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    if os.getppid() != parent:
        os._exit(1)  # the parent died before this was set
    if _LINES and _libc.prctl(_PR_SET_SECCOMP, _SECCOMP_MODE_FILTER, ctypes.byref(_FILTER), 0, 0):
        os._exit(1)
