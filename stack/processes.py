"""What runs: every program of the stack, with its command and how to see that it is healthy."""

import os
import sys
from collections.abc import Sequence
from dataclasses import dataclass

from stack.environment import WEBHOOK_PATH, Stack
from stack.health import connected_to, http_ok
from stack.nginx import nginx
from stack.ports import HOST
from stack.program import Group, Program, Stage


@dataclass(frozen=True)
class Pool:
    """One Celery node: a kind of load with processes of its own, so that it cannot slow the others."""

    name: str
    queues: str
    processes: int
    # Lower priority when all want the processor: a click never waits for what happens after it, and nobody waits for a
    # video. Work that waits is not lost: its batches grow, and an order in a bigger batch costs less.
    nice: int = 10
    # How many processes it may grow to while there is work for them; 0: it does not grow.
    most: int = 0
    # A process with more megabytes than this is replaced when its task has ended; 0: no limit.
    memory: int = 0
    app: str = "workers"

    def options(self) -> tuple[str, ...]:
        """What Celery's `worker` is told of its processes."""
        grown = ("--autoscale", f"{self.most},{self.processes}") if self.most else ("-c", str(self.processes))
        return (*grown, "--max-memory-per-child", str(1024 * self.memory)) if self.memory else grown


def _cores() -> int:
    """Processors that this process may use; macOS does not say."""
    return len(os.sched_getaffinity(0)) if sys.platform == "linux" else os.cpu_count() or 1


# More nodes beat a larger number of processes in one: a node's main process is what limits it. Videos are the
# exception, for what limits them is ffmpeg, of which each process runs one: while any wait, as many as there are cores.
POOLS = (
    Pool("inventory", "inventory", 1),
    Pool("payment", "payment,shipping", 1),
    Pool("messages", "email,sms", 2),
    Pool("documents", "documents", 1, nice=19, memory=512),
    Pool("media", "media", 1, nice=19, most=_cores(), memory=256, app="workers.media.node"),
    Pool("bulk", "bulk,audit", 1),
)

WEB_PROCESSES, WEB_THREADS = 2, 4


def programs(stack: Stack, pools: Sequence[Pool] = POOLS) -> list[Program]:
    """Everything this stack runs; servers that were given by URL are left out."""
    embedded = [
        *([] if stack.database_url else [stack.postgres.program()]),
        *([] if stack.broker_url else [stack.valkey.program()]),
    ]
    return [*embedded, *providers(stack), *_shop(stack), *_workers(stack, pools)]


def providers(stack: Stack) -> list[Program]:
    """Payments, SMS, carrier and mailbox, each with a ledger file of its own."""
    options: dict[str, tuple[str, ...]] = {
        # Its webhooks are signed with PAYMENTS_WEBHOOK_SECRET of the environment.
        "payments": ("--webhook-url", f"{stack.url('shop')}{WEBHOOK_PATH}"),
        "sms": (),
        "carrier": (),
        "mailbox": ("--smtp-port", str(stack.ports.smtp), "--sms-url", stack.url("sms")),
    }
    return [
        Program(
            name=name,
            command=(
                *("nice", "-n", "5"),  # in reality they have machines of their own
                *_python(f"sandbox.{name}", "--port", str(getattr(stack.ports, name))),
                *("--ledger", str(stack.layout.ledgers / f"{name}.sqlite3"), *more),
            ),
            check=http_ok(f"{stack.url(name)}/health"),
            group=Group.SERVERS,
        )
        for name, more in options.items()
    ]


def _shop(stack: Stack) -> list[Program]:
    ports = stack.ports
    return [
        Program(
            name="web",
            command=_python(
                *("granian", "--interface", "wsgi", "shop.wsgi:application"),
                *("--host", HOST, "--port", str(ports.web), "--no-ws", "--respawn-failed-workers"),
                *("--workers", str(WEB_PROCESSES), "--blocking-threads", str(WEB_THREADS)),
                *(
                    "--respawn-interval",
                    "5",
                ),  # seconds that a new process has to begin, before the old one ends
                *("--log-level", "warning"),
            ),
            check=http_ok(f"{stack.url('web')}/healthz"),
            stage=Stage.PREPARED,
            environment={"PGAPPNAME": "web"},
            renew_signal="HUP",
        ),
        Program(
            name="live",
            command=_python(
                *("uvicorn", "shop.asgi:application", "--host", HOST, "--port", str(ports.live)),
                # Two, for only then uvicorn can replace one while the other serves.
                *("--workers", "2", "--timeout-worker-healthcheck", "30"),
                # Without a limit, an open live page delays the stop for as long as it is open.
                *("--timeout-graceful-shutdown", "1", "--no-access-log", "--log-level", "warning"),
            ),
            check=http_ok(f"{stack.url('live')}/healthz"),
            environment={"PGAPPNAME": "live"},
            renew_signal="HUP",
        ),
        nginx(stack),
    ]


def _workers(stack: Stack, pools: Sequence[Pool]) -> list[Program]:
    settings = stack.settings()
    level = os.environ.get("LOG_LEVEL", settings["LOG_LEVEL"])
    return [
        Program(
            name="relay",
            command=(sys.executable, "-P", "manage.py", "relay"),
            check=connected_to(settings["DATABASE_URL"], "PostgreSQL", 5432),
            stage=Stage.PREPARED,
            environment={"PGAPPNAME": "relay"},
        ),
        *(_pool(pool, level) for pool in pools),
        Program(
            name="beat",
            command=_python(
                *("stack.celery_node", "beat", "--loglevel", level),
                *("--schedule", str(stack.layout.run / "beat-schedule"), "--pidfile", ""),
            ),
            environment={"PGAPPNAME": "beat"},
        ),
        Program(
            name="flower",
            # Its login comes from FLOWER_BASIC_AUTH in the environment.
            command=(
                *("nice", "-n", "10"),
                *_python(
                    *("celery", "-A", "workers", "flower"),
                    *(f"--address={HOST}", f"--port={stack.ports.flower}"),
                ),
            ),
            check=http_ok(f"{stack.url('flower')}/healthcheck"),
        ),
    ]


def _pool(pool: Pool, level: str) -> Program:
    return Program(
        name=pool.name,
        command=(
            *("nice", "-n", str(pool.nice)),
            *_python(
                *("stack.celery_node", "-A", pool.app, "worker"),
                *("-Q", pool.queues, "-n", f"{pool.name}@%h"),
                *(*pool.options(), "--pool", "prefork", "--loglevel", level),
                # Events for Flower; no messages among the nodes at their start, which cost seconds and are of no use.
                *("-E", "--without-mingle", "--without-gossip"),
                # Shorter than on servers, and than stop_seconds: on a laptop Ctrl-C must end all within five seconds.
                *("--", "worker.soft_shutdown_timeout=1"),
            ),
        ),
        environment={"PGAPPNAME": pool.name},
        stop_signal="QUIT",  # soft: what cannot be finished within worker_soft_shutdown_timeout is put back
        is_pool=True,
    )


def _python(module: str, *arguments: str) -> tuple[str, ...]:
    return (sys.executable, "-P", "-m", module, *arguments)
