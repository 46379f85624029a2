"""`./dev troubles FILE`: a real retailer's orders, while one thing goes wrong all the time.

Each trouble has an isolated stack of its own, and ends with the books proved.
"""

import asyncio
import signal
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer
import uvloop

from bench.chaos import report
from bench.chaos.faulty_stack import FaultyStack, faulty_stack
from bench.chaos.injector import HANG_MS, lift_all, set_faults
from bench.cli import Json, command
from bench.display import note
from bench.replay import File, replay
from bench.run import Run, wipe
from bench.running_stack import POOL_NAMES

ORDERS, PER_SECOND, CUSTOMERS = 1_000, 10.0, 64
DOWN_SECONDS = 60.0


class Trouble(StrEnum):
    WIPED = "wiped"
    DATABASE = "database"
    PROVIDER = "provider"
    LATE = "late"
    POOLS = "pools"


async def _wiped(stack: FaultyStack) -> None:
    await asyncio.sleep(5)
    await asyncio.to_thread(wipe, stack.servers.valkey.url)


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


TROUBLES: dict[Trouble, tuple[str, Callable[[FaultyStack], Awaitable[None]]]] = {
    Trouble.WIPED: ("the broker is wiped every 5 s", _wiped),
    Trouble.DATABASE: ("PostgreSQL is killed every 20 s", _database),
    Trouble.PROVIDER: (f"the payment provider is down for {DOWN_SECONDS:.0f} s", _provider),
    Trouble.LATE: ("of 10 % of the charges the answer comes after our time-out", _late),
    Trouble.POOLS: ("all worker pools are killed at once every 15 s", _pools),
}


async def suffer(stack: FaultyStack, trouble: Trouble, file: Path, orders: int) -> Run:
    """Replay so many orders of the file in this trouble, lift it, wait for the last, and prove the books."""
    run = Run(stack, "replay")
    run.more["trouble"] = {"name": trouble.value, "times": 0}

    async def again_and_again() -> None:
        while True:
            run.more["trouble"]["times"] += 1
            await TROUBLES[trouble][1](stack)

    @asynccontextmanager
    async def troubled() -> AsyncIterator[None]:
        troubling = asyncio.create_task(again_and_again())
        yield
        troubling.cancel()
        await asyncio.gather(troubling, return_exceptions=True)
        await lift_all(stack)
        await set_faults(stack, "payments", {"down": False})

    await replay(run, file, customers=CUSTOMERS, limit=orders, per_second=PER_SECOND, during=troubled())
    return run


def _row(trouble: Trouble, run: Run) -> dict[str, Any]:
    found = run.figures.as_json()
    times = found["to_completed_ms"]
    return {
        "trouble": trouble.value,
        "what": TROUBLES[trouble][0],
        "accepted": found["accepted"],
        "ended": found["ended"],
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
    orders: Annotated[int, typer.Option(min=1, help="How many of the file's orders.")] = ORDERS,
    json: Json = None,
) -> int:
    """Replay a retailer's orders while one thing goes wrong all the time; ends with the books proved."""
    rows = []
    for one in trouble or list(Trouble):
        note(f"{TROUBLES[one][0]} …")
        with faulty_stack() as stack:
            rows.append(_row(one, uvloop.run(suffer(stack, one, file, orders))))
    return report.show(rows, [problem for row in rows for problem in row["problems"]], json)


if __name__ == "__main__":
    main()
