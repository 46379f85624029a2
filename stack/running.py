"""Programs that run: start them, wait until they are healthy, see how they ended and what they wrote last, kill them.

There are two runners. `stack.supervisor` is the process manager of `./dev up`, which restarts what fails.
`stack.children` runs programs as children of the calling process, for tests and benchmarks, and restarts nothing.
"""

import os
import signal
import time
from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

import psutil

from stack.program import Program, StackError

START_SECONDS = 120.0  # to become healthy, on a slow machine; one that ends is noticed at once
KILL_SECONDS = 30.0
LOG_LINES = 30
PING_SECONDS = 2.0
QUICK_PING_SECONDS = 0.5  # where the ping is repeated at once
NO_PONG = "does not answer a ping over the broker"


class State(NamedTuple):
    """`pid` is 0 and `ended` says how, when it does not run."""

    pid: int
    ended: str = ""


class Process(NamedTuple):
    """`problem` is None when it is healthy."""

    name: str
    pid: int
    problem: str | None


class Runner(ABC):
    """The programs of one stack, by their names."""

    def __init__(self, programs: Sequence[Program], logs: Path, broker_url: str, poll_seconds: float) -> None:
        self.programs = {one.name: one for one in programs}
        self.logs, self._broker_url, self._poll_seconds = logs, broker_url, poll_seconds

    @abstractmethod
    def states(self) -> Mapping[str, State]:
        """How each program is now."""

    @abstractmethod
    def launch(self, names: Sequence[str]) -> None:
        """Start these at the same time, and do not wait; what runs goes on."""

    @abstractmethod
    def stop(self, name: str) -> None:
        """Stop it with its own signal, and leave it stopped; returns when it has ended."""

    def start(self, *names: str, wait: bool = True) -> None:
        """Start these, or all; with `wait`, return when they are healthy."""
        chosen = names or tuple(self.programs)
        self.launch(chosen)
        if wait:
            self.wait_healthy(*chosen)

    def pid(self, name: str) -> int:
        """Its main process; 0 while it does not run."""
        return self.states()[name].pid

    def pids(self) -> dict[str, int]:
        """The main processes of all that run."""
        return {name: state.pid for name, state in self.states().items() if state.pid}

    def kill(self, name: str) -> None:
        """End it and all its children at once, as a crash does (SIGKILL), and return when none is left.

        PostgreSQL's children have process groups of their own, and hold its memory for a moment after it has ended.
        """
        if not (pid := self.pid(name)):
            return
        with suppress(psutil.NoSuchProcess):
            main = psutil.Process(pid)
            everyone = [main, *main.children(recursive=True)]
            with suppress(ProcessLookupError):
                os.killpg(pid, signal.SIGKILL)
            send(everyone, signal.SIGKILL)
            wait_ended(everyone, KILL_SECONDS)

    def wait_healthy(self, *names: str) -> None:
        """Return when all of these are healthy; raises StackError with the log of one that ends or takes too long."""
        until = time.monotonic() + START_SECONDS
        # One after the other, pools last: all must be healthy in the end, and to check one is cheaper.
        waiting = sorted((self.programs[name] for name in names), key=lambda one: one.is_pool)
        while waiting:
            states, problem = self.states(), None
            for name in names:
                if not states[name].pid:
                    raise self._story(name, states[name].ended)
            if waiting[0].is_pool:
                answered = _ping(self._broker_url, [one.name for one in waiting], QUICK_PING_SECONDS)
                waiting = [one for one in waiting if one.name not in answered]
                problem = NO_PONG if waiting else None
            elif (problem := waiting[0].check(states[waiting[0].name].pid)) is None:
                del waiting[0]
            if problem and time.monotonic() > until:
                raise self._story(waiting[0].name, f"is not healthy after {START_SECONDS:.0f} s: {problem}")
            if problem:
                time.sleep(self._poll_seconds)

    def look(self) -> list[Process]:
        """Each program now, and whether it is healthy.

        One ping over the broker asks all Celery nodes, which proves that messages reach them and answers come back;
        every other program has a check of its own.
        """
        states, table = self.states(), list(self.programs.values())
        with ThreadPoolExecutor(len(table) + 1) as threads:
            pools = [one.name for one in table if one.is_pool and states[one.name].pid]
            answered = threads.submit(_ping, self._broker_url, pools, PING_SECONDS)

            def problem(one: Program) -> str | None:
                if not (pid := states[one.name].pid):
                    return f"does not run: it {states[one.name].ended}"
                if one.is_pool:
                    return None if one.name in answered.result() else NO_PONG
                return one.check(pid)

            return [
                Process(one.name, states[one.name].pid, found)
                for one, found in zip(table, threads.map(problem, table), strict=True)
            ]

    def _story(self, name: str, what: str) -> StackError:
        log = self.logs / f"{name}.log"
        return StackError(f"{name} {what}.\nThe end of {log}:\n\n{last_lines(log)}")


def _ping(broker_url: str, pools: Sequence[str], seconds: float) -> set[str]:
    """The names of the nodes that answer within the time; returns as soon as all have."""
    if not pools:
        return set()
    # Not at the top, because only the commands that check workers need this slow import.
    from celery import Celery
    from kombu.exceptions import KombuError

    app = Celery(broker=broker_url, set_as_current=False)
    app.conf.broker_connection_retry = False
    app.conf.broker_transport_options = {
        "socket_connect_timeout": PING_SECONDS,
        "socket_timeout": PING_SECONDS,
    }
    broken = app.connection_for_write().connection_errors
    unreachable: tuple[type[BaseException], ...] = (OSError, KombuError, *broken)
    try:
        answers = app.control.broadcast("ping", reply=True, timeout=seconds, limit=len(pools))
    except unreachable:
        return set()
    finally:
        app.close()
    return {node.split("@")[0] for answer in answers or [] for node in answer}


def last_lines(log: Path, count: int = LOG_LINES) -> str:
    try:
        return "\n".join(log.read_text(errors="replace").splitlines()[-count:])
    except FileNotFoundError:
        return "(it wrote nothing)"


def send(processes: Iterable[psutil.Process], number: signal.Signals) -> None:
    for process in processes:
        with suppress(psutil.NoSuchProcess):  # it ended by itself
            process.send_signal(number)  # psutil compares start times: a reused pid is left alone


def wait_ended(processes: Iterable[psutil.Process], seconds: float) -> list[psutil.Process]:
    """Wait so many seconds at most until all have ended; returns those that have not.

    A zombie has ended: it holds neither memory nor ports. Its parent may have died, and the first process of a
    container, which inherits it, may reap it only some seconds later.
    """
    until = time.monotonic() + seconds
    left = [one for one in processes if runs(one)]
    while left and time.monotonic() < until:
        time.sleep(0.01)
        left = [one for one in left if runs(one)]
    return left


def runs(process: psutil.Process) -> bool:
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False
