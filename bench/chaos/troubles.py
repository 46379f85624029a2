"""`./dev troubles FILE`: a real retailer's orders, while one thing goes wrong all the time, or one great thing once.

Each trouble has an isolated stack of its own, and ends with the books proved.
"""

import asyncio
import signal
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import ExitStack, asynccontextmanager, suppress
from enum import StrEnum
from itertools import count
from pathlib import Path
from typing import Annotated, Any

import redis
import typer
import uvloop

from bench.chaos import report
from bench.chaos.faulty_stack import FaultyStack, faulty_stack
from bench.chaos.injector import HANG_MS, lift_all, set_faults
from bench.chaos.other_host import open_to_other_hosts, other_host
from bench.chaos.restore import Restore
from bench.chaos.subscriber import Subscriber
from bench.chaos.visitors import Visitors
from bench.cli import Json, command
from bench.display import note
from bench.replay import File, replay
from bench.run import Run, wipe
from bench.running_stack import POOL_NAMES
from bench.waiting import holds
from orders.crashpoints import Point
from stack import rolling
from stack.supervisor import Supervisor

ORDERS, PER_SECOND, CUSTOMERS = 1_000, 10.0, 64
RESTORE_ORDERS = 2_600  # a fifth of them before the dump
RESTARTS_PER_SECOND = 20.0  # orders, in the trouble in which nobody may have to ask twice
DOWN_SECONDS = 60.0
FULL_SECONDS = 20.0
HEARD_SECONDS = 10.0  # in which a subscriber hears of an order that was placed after the last wipe
HOST_SECONDS = 20.0  # after a host has vanished; the next then needs some seconds to start


class Trouble(StrEnum):
    WIPED = "wiped"
    DATABASE = "database"
    PROVIDER = "provider"
    LATE = "late"
    POOLS = "pools"
    RESTARTS = "restarts"
    FULL = "full"
    SUBSCRIBER = "subscriber"
    HOST = "host"
    RESTORE = "restore"


async def _wiped(stack: FaultyStack) -> None:
    await asyncio.sleep(5)
    await asyncio.to_thread(wipe, stack.servers.valkey.url)


async def _full(stack: FaultyStack) -> None:
    await asyncio.sleep(10)
    await asyncio.to_thread(limit_broker, stack, 0.99)
    await asyncio.sleep(FULL_SECONDS)
    await asyncio.to_thread(limit_broker, stack, 0)


def limit_broker(stack: FaultyStack, share: float) -> None:
    """Have so much of the broker's memory taken by what it holds now; 0: it has no limit."""
    with redis.Redis.from_url(stack.servers.valkey.url, socket_timeout=5) as broker:
        used = broker.info("memory")["used_memory"]
        broker.config_set("maxmemory", str(int(used / share)) if share else "0")


async def _database(stack: FaultyStack) -> None:
    await asyncio.sleep(20)
    stack.signal(await asyncio.to_thread(stack.main, "postgres"), signal.SIGKILL)


async def _provider(stack: FaultyStack) -> None:
    await asyncio.sleep(10)
    await set_faults(stack, "payments", {"down": True})
    await asyncio.sleep(DOWN_SECONDS)
    await set_faults(stack, "payments", {"down": False})
    await asyncio.Event().wait()  # once


async def _late(stack: FaultyStack) -> None:
    await set_faults(stack, "payments", {"late_answer_rate": 0.1, "late_answer_s": HANG_MS / 1000})
    await asyncio.Event().wait()  # until it is lifted


async def _pools(stack: FaultyStack) -> None:
    await asyncio.sleep(15)
    for name in POOL_NAMES:
        main = await asyncio.to_thread(stack.main, name)
        for pid in (main, *await asyncio.to_thread(stack.children, name)):
            if pid:
                stack.signal(pid, signal.SIGKILL)


async def _restarts(stack: FaultyStack) -> None:
    def all_of_them() -> None:
        for _ in rolling.restart(Supervisor.of(stack.servers.layout), []):
            pass

    await asyncio.to_thread(all_of_them)


async def _host(stack: FaultyStack) -> None:
    """One after the other, while the hosts that vanished before stay away."""

    with ExitStack() as hosts:
        await asyncio.to_thread(hosts.enter_context, open_to_other_hosts(stack))
        for number in count(1):
            host = await asyncio.to_thread(hosts.enter_context, other_host(stack, number))
            await host.stands_at(Point.RESERVE_BEFORE_COMMIT)
            await asyncio.to_thread(host.vanish)
            note(f"host {number} has vanished, and holds stock")
            await asyncio.sleep(HOST_SECONDS)


Strike = Callable[[FaultyStack], Awaitable[None]]
# What each is in words, and what is done again and again; None: it is done once, by `Restore`.
TROUBLES: dict[Trouble, tuple[str, Strike | None]] = {
    Trouble.WIPED: ("the broker is wiped every 5 s", _wiped),
    Trouble.DATABASE: ("PostgreSQL is killed every 20 s", _database),
    Trouble.PROVIDER: (f"the payment provider is down for {DOWN_SECONDS:.0f} s", _provider),
    Trouble.LATE: ("of 10 % of the charges the answer comes after our time-out", _late),
    Trouble.POOLS: ("all worker pools are killed at once every 15 s", _pools),
    Trouble.RESTARTS: (
        f"all that is ours is restarted, one after the other, at {RESTARTS_PER_SECOND:.0f} orders a second",
        _restarts,
    ),
    Trouble.FULL: (f"the broker is full for {FULL_SECONDS:.0f} s of every 30", _full),
    Trouble.SUBSCRIBER: ("a subscriber of order_events listens while the broker is wiped every 5 s", _wiped),
    Trouble.HOST: ("every half minute a worker's host vanishes while it holds stock", _host),
    Trouble.RESTORE: ("the database is restored from a dump that is 2,000 orders old", None),
}


async def suffer(stack: FaultyStack, trouble: Trouble, file: Path, orders: int) -> Run:
    """Replay so many orders of the file in this trouble, lift it, wait for the last, and prove the books."""
    run = Run(stack, "replay")
    run.more["trouble"] = {"name": trouble.value, "times": 0}

    async def again_and_again(strike: Strike) -> None:
        while True:
            run.more["trouble"]["times"] += 1
            await strike(stack)

    @asynccontextmanager
    async def troubled(strike: Strike) -> AsyncIterator[None]:
        troubling = asyncio.create_task(again_and_again(strike))
        yield
        troubling.cancel()
        with suppress(asyncio.CancelledError):
            await troubling
        await lift_all(stack)
        await set_faults(stack, "payments", {"down": False})
        await asyncio.to_thread(limit_broker, stack, 0)

    rate = RESTARTS_PER_SECOND if trouble is Trouble.RESTARTS else PER_SECOND
    restore, strike = Restore(stack, run, orders), TROUBLES[trouble][1]
    during = troubled(strike) if strike else restore.during()
    async with _WITNESSES.get(trouble, _nobody)(stack, run):
        await replay(run, file, customers=CUSTOMERS, limit=orders, per_second=rate, during=during)
    if not strike:
        await restore.judge()
    return run


@asynccontextmanager
async def _nobody(_stack: FaultyStack, _run: Run) -> AsyncIterator[None]:
    yield


@asynccontextmanager
async def _listening(stack: FaultyStack, run: Run) -> AsyncIterator[None]:
    """A subscriber is told everything in order, and still hears of an order after the last wipe."""
    with Subscriber(stack.servers.valkey.url) as subscriber:
        yield
        await asyncio.to_thread(wipe, stack.servers.valkey.url)
        subscriber.forget()

        async def heard() -> bool:
            return subscriber.heard > 0

        async with Visitors(stack["SHOP_URL"]):  # they place an order
            await holds(heard, HEARD_SECONDS, 0.1)
    run.problems += subscriber.overtaken
    if not subscriber.heard:
        run.problems.append("The subscriber hears nothing any more since the broker was wiped.")


@asynccontextmanager
async def _asking_once(stack: FaultyStack, run: Run) -> AsyncIterator[None]:
    """Nobody has to ask twice. Only nginx may cut off a live stream, when its old processes have waited long enough."""
    async with Visitors(stack["SHOP_URL"]) as visitors:
        yield
    run.problems += [*visitors.failures, *visitors.told_later]
    run.problems += [one for one in visitors.broken_off if "/live/" not in one]
    if run.figures.repeated_posts:
        run.problems.append(f"{run.figures.repeated_posts} orders had to be sent again.")


_WITNESSES = {Trouble.SUBSCRIBER: _listening, Trouble.RESTARTS: _asking_once}


def _row(trouble: Trouble, run: Run) -> dict[str, Any]:
    found = run.figures.as_json()
    times = found["to_completed_ms"]
    lost = run.more.get("lost", {})
    return {
        "trouble": trouble.value,
        "what": TROUBLES[trouble][0],
        "accepted": found["accepted"] + sum(lost.values()),
        "ended": {**found["ended"], **lost},
        "post_p99_ms": found["post_ms"].get("p99"),
        "to_completed_s": {
            name: round(times[name] / 1000, 1) for name in ("p50", "p99", "max") if name in times
        },
        "books_clean": bool(run.more.get("audit") and run.more["audit"]["clean"]),
        "problems": run.problems,
    }


@command
def main(
    file: File,
    trouble: Annotated[list[Trouble] | None, typer.Option(help="Only this one. May be repeated.")] = None,
    orders: Annotated[
        int | None,
        typer.Option(
            min=1,
            help=f"How many of the file's orders; by itself {ORDERS:,}, and {RESTORE_ORDERS:,} of `restore`.",
        ),
    ] = None,
    json: Json = None,
) -> int:
    """Replay a retailer's orders while one thing goes wrong all the time; ends with the books proved."""
    rows = []
    for one in trouble or list(Trouble):
        note(f"{TROUBLES[one][0]} …")
        with faulty_stack() as stack:
            number = orders or (RESTORE_ORDERS if one is Trouble.RESTORE else ORDERS)
            rows.append(_row(one, uvloop.run(suffer(stack, one, file, number))))
    return report.show(rows, [problem for row in rows for problem in row["problems"]], json)


if __name__ == "__main__":
    main()
