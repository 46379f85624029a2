"""Watches a running stack: who is healthy, and waiting until all are.

Celery nodes are asked over the broker, all with one ping, which proves the whole way there and back; every
other program has a check of its own.
"""

import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from stack.environment import Stack
from stack.program import Program, StackError
from stack.supervisor import State, Supervisor

LOG_LINES = 30
PING_SECONDS = 2.0
QUICK_PING_SECONDS = 0.5  # where we ask again at once
NO_PONG = "does not answer a ping over the broker"
POLL_SECONDS = 0.1


def look(stack: Stack, supervisor: Supervisor, programs: Sequence[Program]) -> dict[str, str | None]:
    """Each program's health now: None, or what is wrong with it."""
    states = supervisor.states()
    up = [one for one in programs if one.name in states and states[one.name].up]
    found: dict[str, str | None] = {
        one.name: f"does not run ({states[one.name].state.lower() if one.name in states else 'unknown'})"
        for one in programs
        if one not in up
    }
    with ThreadPoolExecutor(len(up) + 1) as threads:
        pools = [one.name for one in up if one.is_pool]
        answered = threads.submit(_ping, stack, pools, PING_SECONDS)
        others = {one.name: threads.submit(one.check, states[one.name].pid) for one in up if not one.is_pool}
        found.update({name: result.result() for name, result in others.items()})
        for name in pools:
            found[name] = None if name in answered.result() else NO_PONG
    return {one.name: found[one.name] for one in programs}


def wait_healthy(stack: Stack, supervisor: Supervisor, programs: Sequence[Program], seconds: float) -> None:
    """Return when all of these are healthy; raises StackError with the log of one that ends or lags."""
    until = time.monotonic() + seconds
    # One after the other, pools last: all must be there in the end, and to look at one is cheaper.
    waiting = sorted(programs, key=lambda one: one.is_pool)
    while waiting:
        states = supervisor.states()
        for program in programs:
            if not states[program.name].up:
                raise StackError(_story(stack, program, _how_it_ended(states[program.name])))
        first = waiting[0]
        if first.is_pool:
            answered = _ping(stack, [one.name for one in waiting], QUICK_PING_SECONDS)
            waiting = [one for one in waiting if one.name not in answered]
            problem = NO_PONG if waiting else None
        elif (problem := first.check(states[first.name].pid)) is None:
            waiting.remove(first)
        if problem and time.monotonic() > until:
            raise StackError(_story(stack, waiting[0], f"is not healthy after {seconds:.0f} s: {problem}"))
        if problem:
            time.sleep(POLL_SECONDS)


def last_lines(path: Path, count: int = LOG_LINES) -> str:
    try:
        return "\n".join(path.read_text(errors="replace").splitlines()[-count:])
    except FileNotFoundError:
        return "(it wrote nothing)"


def _ping(stack: Stack, pools: Sequence[str], seconds: float) -> set[str]:
    """The names of the nodes that answer within the time; returns as soon as all have."""
    if not pools:
        return set()
    # Here and not at the top: only the commands that look at workers shall pay for it.
    from celery import Celery
    from kombu.exceptions import KombuError

    settings = stack.settings()
    app = Celery(broker=settings["BROKER_URL"], set_as_current=False)
    app.conf.broker_connection_retry = False
    app.conf.broker_transport_options = {
        "socket_connect_timeout": PING_SECONDS,
        "socket_timeout": PING_SECONDS,
    }
    unreachable: Any = (OSError, KombuError, *app.connection_for_write().connection_errors)
    try:
        answers = app.control.broadcast("ping", reply=True, timeout=seconds, limit=len(pools))
    except unreachable:
        return set()
    finally:
        app.close()
    return {node.split("@")[0] for answer in answers or [] for node in answer}


def _how_it_ended(state: State) -> str:
    return f"ended with status {state.exit_status}" if state.state != "STOPPED" else "was stopped"


def _story(stack: Stack, program: Program, what: str) -> str:
    log = stack.layout.logs / f"{program.name}.log"
    return f"{program.name} {what}.\nThe end of {log}:\n\n{last_lines(log)}"
