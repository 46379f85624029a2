"""A stack to inject faults into: every program of `./dev up` under its process manager, with its crash points on.

The process manager is part of what is tested: it must bring back what falls, as often as it falls. Between the
shop and both its broker and its payment provider stands a network that can fail (bench.chaos.proxy).
"""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import psutil

from bench.chaos.proxy import Proxy
from bench.isolated_stack import scratch_folder
from bench.running_stack import RunningStack
from orders.crashpoints import HITS, VARIABLE, Point
from stack import life
from stack.environment import Stack
from stack.layout import Layout
from stack.ports import HOST, is_free, next_free_base
from stack.program import StackError
from stack.supervisor import Record, Supervisor

FIRST_PORT = 23_000
# The network's two ports follow the stack's block, where no other block begins: blocks stand twenty apart.
_BROKER_PORT, _PAYMENTS_PORT = 15, 16


class ProxiedStack(Stack):
    """A stack whose processes reach the broker and the payment provider through a network that can fail."""

    @property
    def broker_port(self) -> int:
        return self.ports.shop + _BROKER_PORT

    @property
    def payments_port(self) -> int:
        return self.ports.shop + _PAYMENTS_PORT

    def settings(self) -> dict[str, str]:
        own = super().settings()
        broker = own["BROKER_URL"].replace(f":{self.ports.valkey}/", f":{self.broker_port}/")
        return {**own, "BROKER_URL": broker, "PAYMENTS_URL": f"http://{HOST}:{self.payments_port}"}


@dataclass(frozen=True)
class Hit:
    """A token that was taken: where, by whom, with which orders in hand, and when by the clock."""

    point: str
    does: str
    pid: int
    parent: int
    process: str
    orders: list[int]
    at: float


@dataclass
class FaultyStack(RunningStack):
    """The running stack, its network and its crash points. `servers` are reached past that network."""

    servers: ProxiedStack
    crashpoints: Path
    broker: Proxy
    payments: Proxy
    _hits_read: int = 0

    def arm(self, point: Point, action: str) -> None:
        """Lay down a token; it gets its name when it is whole."""
        fresh = self.crashpoints / f".new-{point.value}"
        fresh.write_text(action)
        fresh.rename(self.crashpoints / point.value)

    def disarm(self, point: Point) -> None:
        (self.crashpoints / point.value).unlink(missing_ok=True)

    def new_hits(self) -> list[Hit]:
        """The hits since the last look."""
        file = self.crashpoints / HITS
        lines = file.read_text().splitlines(keepends=True) if file.exists() else []
        whole = [line for line in lines if line.endswith("\n")]
        fresh, self._hits_read = whole[self._hits_read :], len(whole)
        return [Hit(**json.loads(line)) for line in fresh]

    def main(self, name: str) -> int:
        """The pid of a program's main process now; 0 when it does not run."""
        return self.roots().get(name, 0)

    def children(self, name: str) -> list[int]:
        """The pids of the processes that a program's main process has started."""
        try:
            return [child.pid for child in psutil.Process(self.main(name)).children(recursive=True)]
        except psutil.NoSuchProcess:
            return []

    def signal(self, pid: int, number: signal.Signals) -> None:
        with suppress(ProcessLookupError):
            os.kill(pid, number)

    def stop(self, name: str) -> None:
        """Stop a program, and leave it stopped until `start`."""
        Supervisor.of(self.servers.layout).stop(name)

    def start(self, name: str) -> None:
        Supervisor.of(self.servers.layout).start(name, wait=False)


@contextmanager
def faulty_stack(keep: Path | None = None) -> Iterator[FaultyStack]:
    """A stack that is ready, gone afterwards; with `keep` it stands in that folder, which stays with its logs."""
    with ExitStack() as resources:
        folder = keep.resolve() if keep else resources.enter_context(scratch_folder("chaos-"))
        stack = ProxiedStack.at(Layout(folder), _free_base())
        crashpoints = folder / "crashpoints"
        crashpoints.mkdir(parents=True, exist_ok=True)
        broker = resources.enter_context(Proxy(stack.broker_port, stack.ports.valkey))
        payments = resources.enter_context(Proxy(stack.payments_port, stack.ports.payments))
        resources.callback(life.down, stack.layout)
        _open(stack, crashpoints)

        def roots() -> dict[str, int]:
            return Supervisor.of(stack.layout).pids() if Record.load(stack.layout) else {}

        yield FaultyStack(stack.environment(), roots, stack, crashpoints, broker, payments)


def _free_base() -> int:
    """A block of ports of which the network's two are free as well."""
    base = FIRST_PORT
    while found := next_free_base(base):
        if is_free(found + _BROKER_PORT) and is_free(found + _PAYMENTS_PORT):
            return found
        base = found
    raise StackError("there is no free block of ports; stop what uses them, or see `./dev status`")


def _open(stack: ProxiedStack, crashpoints: Path) -> None:
    # In a process that ends, so that the process manager is nobody's child and no zombie of ours.
    done = subprocess.run(
        [sys.executable, "-P", "-m", __name__, str(stack.layout.base), str(stack.ports.shop)],
        # The payment provider reports everything it does, so that some events come before the answer to the call.
        env={**stack.environment(), VARIABLE: str(crashpoints), "SANDBOX_WEBHOOK_ALL": "1"},
        capture_output=True,
        text=True,
    )
    if done.returncode:
        raise StackError(f"the stack did not open:\n{done.stdout}{done.stderr}")


if __name__ == "__main__":
    raise SystemExit(life.up(ProxiedStack.at(Layout(Path(sys.argv[1])), int(sys.argv[2])), detach=True))
