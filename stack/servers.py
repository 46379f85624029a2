"""Servers as children of the calling process: PostgreSQL, Valkey and the providers for tests and benchmarks.

    with Servers(folder) as servers:
        servers.start_all()                    # or servers["postgres"].start(), one at a time
        os.environ.update(servers.settings())  # what shop/settings.py declares
        servers["payments"].kill()             # as a power cut does, with all that it started
        servers["payments"].start()            # same folder, same port, same ledger

Each has its own folder and free ports, so any number of them run side by side and beside `./dev up`.
"""

import os
import signal
import subprocess
import time
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Self

import psutil

from stack.endings import wait_ended
from stack.environment import Secrets, Stack
from stack.layout import Layout
from stack.ports import Ports
from stack.program import Program, StackError
from stack.providers import providers

START_SECONDS = 30.0


class Server:
    """One program as a child process with its own process group, and a log file beside its data."""

    def __init__(self, program: Program, log: Path, environment: dict[str, str]) -> None:
        self.program, self.log, self._environment = program, log, environment
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def name(self) -> str:
        return self.program.name

    @property
    def pid(self) -> int:
        if self._process is None:
            raise StackError(f"{self.name} was not started")
        return self._process.pid

    @property
    def running(self) -> bool:
        return self._process is not None and self._process.poll() is None

    def start(self, wait: bool = True) -> None:
        """Start it; with `wait`, return when it is healthy. Starting what runs does nothing."""
        if not self.running:
            self.program.prepare()
            with self.log.open("ab") as log:
                self._process = subprocess.Popen(
                    self.program.command,
                    cwd=self.program.directory,
                    env={**self._environment, **self.program.environment},
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=subprocess.STDOUT,
                    # A group and no session: Linux deals out the processor by session first (sched_autogroup), and
                    # how far one program stands back behind another (nice) counts within one alone.
                    process_group=0,
                )
        if wait:
            self.wait_healthy()

    def wait_healthy(self, seconds: float = START_SECONDS) -> None:
        """Return when it is healthy; raises StackError with the end of its log when it ends or lags."""
        until = time.monotonic() + seconds
        while (problem := self.program.check(self.pid)) is not None:
            if not self.running:
                raise StackError(f"{self.name} ended with status {self._status()}:\n{self.last_lines()}")
            if time.monotonic() > until:
                raise StackError(
                    f"{self.name} is not healthy after {seconds:.0f} s: {problem}\n{self.last_lines()}"
                )
            time.sleep(0.02)

    def stop(self) -> None:
        """Ask it to stop and wait; kill it when it takes longer than it may."""
        if self._process is None:
            return
        if self.running:
            self._process.send_signal(signal.Signals[f"SIG{self.program.stop_signal}"])
            try:
                self._process.wait(self.program.stop_seconds)
            except subprocess.TimeoutExpired:
                self.kill()
        self._process = None

    def kill(self) -> None:
        """End it and all its children at once, as a crash does (SIGKILL), and return when none is left.

        Those of PostgreSQL are each of a group of their own, and hold its memory for a moment after it has ended.
        """
        if self._process is None:
            return
        with suppress(psutil.NoSuchProcess):
            children = psutil.Process(self.pid).children(recursive=True)
            self._signal_group(signal.SIGKILL)
            for child in children:
                with suppress(psutil.NoSuchProcess):
                    child.kill()
            wait_ended(children, START_SECONDS)
        self._process.wait()

    def freeze(self) -> None:
        """Stop it from answering while its sockets stay open (SIGSTOP): the hang, unlike the crash."""
        self._signal_group(signal.SIGSTOP)

    def thaw(self) -> None:
        self._signal_group(signal.SIGCONT)

    def restart(self, wait: bool = True) -> None:
        self.stop()
        self.start(wait)

    def last_lines(self, count: int = 20) -> str:
        try:
            return "\n".join(self.log.read_text(errors="replace").splitlines()[-count:])
        except FileNotFoundError:
            return "(it wrote no log)"

    def _signal_group(self, number: signal.Signals) -> None:
        with suppress(ProcessLookupError):  # it ended by itself in this moment
            os.killpg(self.pid, number)

    def _status(self) -> int | None:
        return self._process.poll() if self._process else None


class Servers:
    """PostgreSQL, Valkey and the four providers in one folder; stops them all at the end of the `with`."""

    def __init__(self, folder: Path, ports: Ports | None = None) -> None:
        self.stack = Stack(Layout(folder.resolve()), ports or Ports.free(), Secrets.new())
        self.stack.layout.make()
        stack, logs, environment = self.stack, self.stack.layout.logs, self.stack.environment()
        programs = [stack.postgres.program(), stack.valkey.program(), *providers(stack)]
        self._servers = {one.name: Server(one, logs / f"{one.name}.log", environment) for one in programs}

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop_all()

    def __getitem__(self, name: str) -> Server:
        return self._servers[name]

    def settings(self) -> dict[str, str]:
        """The variables that shop/settings.py declares; SHOP_URL names a free port for the test's server."""
        return self.stack.settings()

    def start_all(self, *names: str) -> None:
        """Start the named servers, or all of them, at the same time, and wait until all are healthy."""
        chosen = [self._servers[name] for name in names or self._servers]
        for server in chosen:
            server.start(wait=False)
        for server in chosen:
            server.wait_healthy()

    def stop_all(self) -> None:
        for server in reversed(self._servers.values()):
            server.stop()
