"""Ends a stack, and finds what a crash left behind.

A list of pids in a file would be wrong as soon as a program is restarted, and a pid may belong to another program
later. So every program of the stack, and every child of it, has the stack's folder in its environment, and is found
by that. PostgreSQL, Valkey and nginx overwrite their environment with their titles; they are found by their program
file, which is in our wheels, and by their working folder, which is in the stack's.
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

STOP_SECONDS = 3.0  # to stop by themselves
# PostgreSQL takes TERM to mean "when your clients are gone".
SIGNALS = {"postgres": signal.SIGINT}


def find(layout: Layout) -> list[psutil.Process]:
    """All processes of this stack that run now, supervisord included; never this one.

    `info` of each holds what is asked for here; what this user may not read is None.
    """
    asked = ["name", "status", "environ", "exe", "cwd", "cmdline"]
    return [one for one in psutil.process_iter(asked) if one.pid != os.getpid() and _is_ours(one, layout)]


def end_all(layout: Layout) -> int:
    """Stop what is left of the stack, the shop before the servers; returns how many processes there were."""
    found = find(layout)
    # The process manager first and at once, or it would restart what we stop.
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
    """Its group: from its environment, where supervisord wrote it, or by the program's name."""
    environment = process.info["environ"] or {}
    if MARKER in environment:
        return environment.get("SUPERVISOR_GROUP_NAME")
    return Group.SHOP if process.info["name"] == "nginx" else Group.SERVERS


def _leads(process: psutil.Process) -> bool:
    """Whether it is the program itself and not one of its children, which it stops itself."""
    try:
        return os.getpgid(process.pid) == process.pid
    except ProcessLookupError:
        return False
