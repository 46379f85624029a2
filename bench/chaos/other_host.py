"""A worker on a host of its own, whose link can be cut for good: a network namespace, joined to ours by a pair of
virtual cards.

A proxy that swallows everything cannot show what happens then: its kernel goes on answering for the connections of a
host that is not there any more. Here nobody answers. It needs Linux, `ip` (iproute2) and root.
"""

import os
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

import psycopg
from psycopg import sql

from bench.chaos.faulty_stack import FaultyStack
from bench.chaos.proxy import Proxy
from bench.waiting import holds, wait_for
from orders.crashpoints import HITS, VARIABLE, Point
from stack.children import Children
from stack.ports import HOST
from stack.processes import POOLS, programs
from stack.program import Program, StackError

# Where the servers are for other hosts; each of these has a small net of its own, 10.213.1.0/30 and on.
SERVERS = "10.213.0.1"
_POOL = "inventory"
HIT_SECONDS = 120.0  # for the worker to start, and to be in the middle of a transaction


def _ip(*arguments: str) -> None:
    done = subprocess.run(["ip", *arguments], capture_output=True, text=True)
    if done.returncode:
        raise StackError(f"ip {' '.join(arguments)}: {done.stderr.strip()}")


@contextmanager
def open_to_other_hosts(stack: FaultyStack) -> Iterator[None]:
    """The stack's database and broker listen for other hosts too."""
    if os.geteuid() != 0 or not shutil.which("ip"):
        raise StackError(
            "hosts that vanish are network namespaces: run this as root, where there is `ip` (iproute2)"
        )
    servers = stack.servers
    with ExitStack() as opened:
        _ip("addr", "add", f"{SERVERS}/32", "dev", "lo")
        opened.callback(_ip, "addr", "del", f"{SERVERS}/32", "dev", "lo")
        with (servers.layout.postgres / "pg_hba.conf").open("a") as file:
            file.write("\nhost all all 10.213.0.0/16 scram-sha-256\n")
        with psycopg.connect(servers.postgres.url, autocommit=True) as connection:
            where = sql.Literal(f"{HOST},{SERVERS}")
            connection.execute(sql.SQL("ALTER SYSTEM SET listen_addresses = {}").format(where))
        stack.stop("postgres")
        stack.start("postgres")
        wait_for(
            lambda: _answers(_elsewhere(servers.postgres.url)) or None, 30, "PostgreSQL on another address"
        )
        opened.enter_context(Proxy(servers.ports.valkey, servers.ports.valkey, host=SERVERS))
        yield


def _answers(url: str) -> bool:
    try:
        psycopg.connect(url, connect_timeout=2).close()
    except psycopg.OperationalError:
        return False
    return True


def _elsewhere(url: str) -> str:
    """The same server as other hosts reach it."""
    parts = urlsplit(url)
    return urlunsplit(
        parts._replace(netloc=f"{parts.netloc.rpartition(':')[0].replace(HOST, SERVERS)}:{parts.port}")
    )


@dataclass
class OtherHost:
    """One host with one worker; `crashpoints` are its own, so that nobody else takes its tokens."""

    number: int
    crashpoints: Path
    worker: Children

    @property
    def _namespace(self) -> str:
        return f"stampede-{self.number}"

    async def stands_at(self, point: Point) -> None:
        """Wait until its worker stands still at this point of a transaction."""
        (self.crashpoints / point.value).write_text("stall 3600")

        async def hit() -> bool:
            return (self.crashpoints / HITS).exists()

        if not await holds(hit, HIT_SECONDS, 0.02):
            raise StackError(f"The other host did not come to {point.value} within {HIT_SECONDS:.0f} s.")

    def vanish(self) -> None:
        """Cut the link. Nobody is told."""
        _ip("-n", self._namespace, "link", "set", "eth0", "down")
        # Its end closes nothing that anybody could hear of.
        self.worker.kill(_POOL)


@contextmanager
def other_host(stack: FaultyStack, number: int) -> Iterator[OtherHost]:
    """A host with a worker of the pool `inventory`; 1 to 250. Afterwards it is taken down."""
    namespace, card, net = f"stampede-{number}", f"stampede{number}", f"10.213.{number}"
    crashpoints = stack.servers.layout.base / f"crashpoints-{number}"
    crashpoints.mkdir()
    with ExitStack() as opened:
        _ip("netns", "add", namespace)
        opened.callback(_ip, "netns", "del", namespace)
        _ip("link", "add", card, "type", "veth", "peer", "name", "eth0", "netns", namespace)
        _ip("addr", "add", f"{net}.1/30", "dev", card)
        _ip("link", "set", card, "up")
        for command in (
            f"addr add {net}.2/30 dev eth0",
            "link set lo up",
            "link set eth0 up",
            f"route add default via {net}.1",
        ):
            _ip("-n", namespace, *command.split())
        worker = Children(
            [_worker(stack, namespace)], stack.servers.layout.logs, _environment(stack, crashpoints)
        )
        opened.callback(worker.kill, _POOL)
        worker.start(_POOL, wait=False)
        yield OtherHost(number, crashpoints, worker)


def _worker(stack: FaultyStack, namespace: str) -> Program:
    [inventory] = [one for one in programs(stack.servers, POOLS) if one.name == _POOL]
    command = tuple(part.replace(f"{_POOL}@%h", f"{namespace}@%h") for part in inventory.command)
    return Program(name=_POOL, command=("ip", "netns", "exec", namespace, *command))


def _environment(stack: FaultyStack, crashpoints: Path) -> Mapping[str, str]:
    own = stack.servers
    return {
        **stack.environment,
        "DATABASE_URL": _elsewhere(own.postgres.url),
        "BROKER_URL": _elsewhere(own.valkey.url),
        "PGAPPNAME": "other host",
        VARIABLE: str(crashpoints),
    }
