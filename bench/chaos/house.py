"""A house to be mistreated: every program of `./dev up` under its process manager, with its crash points on.

The process manager is part of what is tested: it must bring back what falls, for as often as it falls. Between the
house and both its broker and its payment provider stands a network that can fail (bench.chaos.proxy).
"""

import json
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

import psutil

from bench import house as measured
from bench.chaos.proxy import Proxy
from orders.crashpoints import HITS, VARIABLE, Point
from stack import life
from stack.environment import Stack
from stack.layout import STACK, Layout
from stack.ports import HOST, is_free, next_free_base
from stack.processes import POOLS
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
class House:
    """The running house, its faults and its crash points."""

    stack: ProxiedStack
    crashpoints: Path
    broker: Proxy
    payments: Proxy
    measured: measured.House
    _read: int = field(default=0, repr=False)

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
        if not file.exists():
            return []
        lines = file.read_text().splitlines(keepends=True)
        whole = [line for line in lines if line.endswith("\n")]
        fresh, self._read = whole[self._read :], len(whole)
        return [Hit(**json.loads(line)) for line in fresh]

    def main(self, name: str) -> int:
        """The pid of a program's main process now; 0 when it does not run."""
        return self._supervisor().pid(name)

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
        self._supervisor().stop(name)

    def start(self, name: str) -> None:
        self._supervisor().start(name, wait=False)

    def _supervisor(self) -> Supervisor:
        return Supervisor.of(self.stack.layout)


POOL_NAMES = tuple(pool.name for pool in POOLS)


@contextmanager
def opened(keep: Path | None = None) -> Iterator[House]:
    """A house that is ready, gone afterwards; with `keep` it stands in that folder, which stays with its logs."""
    STACK.base.mkdir(mode=0o700, parents=True, exist_ok=True)
    with ExitStack() as resources:
        if keep:
            keep.mkdir(parents=True, exist_ok=True)
            folder = keep.resolve()
        else:
            temporary = tempfile.TemporaryDirectory(
                prefix="chaos-", dir=STACK.base, ignore_cleanup_errors=True
            )
            folder = Path(resources.enter_context(temporary)).resolve()
        stack = ProxiedStack.at(Layout(folder), _free_base())
        crashpoints = folder / "crashpoints"
        crashpoints.mkdir(exist_ok=True)
        broker = resources.enter_context(Proxy(stack.broker_port, stack.ports.valkey))
        payments = resources.enter_context(Proxy(stack.payments_port, stack.ports.payments))
        resources.callback(life.down, stack.layout)
        _open(stack, crashpoints)
        environment = stack.environment()
        yield House(
            stack, crashpoints, broker, payments, measured.House(environment, lambda: _roots(stack.layout))
        )


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
        # The payment provider tells of everything it does, so that some events come before the answer to the call.
        env={**stack.environment(), VARIABLE: str(crashpoints), "SANDBOX_WEBHOOK_ALL": "1"},
        capture_output=True,
        text=True,
    )
    if done.returncode:
        raise StackError(f"the house did not open:\n{done.stdout}{done.stderr}")


def _roots(layout: Layout) -> dict[str, int]:
    return Supervisor.of(layout).pids() if Record.load(layout) else {}


if __name__ == "__main__":
    raise SystemExit(life.up(ProxiedStack.at(Layout(Path(sys.argv[1])), int(sys.argv[2])), detach=True))
