"""`./dev bench`: how many orders a second, and what each costs, in an isolated stack (bench.isolated_stack).

1. A backlog with the sandbox's providers over sockets: how fast the pipeline carries what has piled up.
2. The crowd: so many POSTs a second for so long, open loop, while the pipeline works beside. Then the books are proved.
3. A backlog with providers inside the workers, in a second stack: what the shop itself can do.

Each beside its floor: the same rows by bare SQL, in the same stack. `--only` has others: media, upload, documents
(bench.media, bench.uploading, bench.documents).
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import Annotated, Any

import typer
import uvloop

from bench import backlog, buyers, documents, floor, inprocess, uploading
from bench.cli import Json, command
from bench.display import note
from bench.figures import at_least, at_most
from bench.isolated_stack import isolated_stack
from bench.media import measuring as media
from bench.run import Run
from bench.running_stack import RunningStack
from stack.layout import STACK
from stack.processes import POOLS, WEB_PROCESSES, WEB_THREADS
from stack.supervisor import Record

# A backlog is carried by all pools at once; the floor gets as many connections.
CONNECTIONS = len(POOLS)
# The API's open loop: as many orders a second, and the longest the slowest in a hundred may take.
POST_MS = 250.0
OVER_SOCKETS, IN_PROCESS = 700.0, 2_000.0  # orders completed a second, of a backlog
# What may be under way when the last order has come in, as so many seconds' worth of orders.
KEEPS_UP_SECONDS = 2.0
# A backlog is placed by SQL, and nobody looks on; the providers are within the workers.
FOR_A_BACKLOG = frozenset({"postgres", "valkey", "relay", *(pool.name for pool in POOLS)})
CONNECTIONS_OF_BUYERS = 512  # more than are ever in flight


@dataclass(frozen=True, slots=True)
class Size:
    backlog: int
    per_second: float
    seconds: float

    @property
    def posts(self) -> int:
        return int(self.per_second * self.seconds)


FULL = Size(backlog=20_000, per_second=400, seconds=60)
SHORT = Size(backlog=200, per_second=50, seconds=4)


def bench(size: Size) -> Run:
    """Measure everything; the run returned is the API's, with all else added to it."""
    if Record.load(STACK):
        note("The stack is up and takes its share of the machine. For better figures: ./dev down first.")
    note("Opening a stack with the sandbox's providers …")
    with isolated_stack() as stack:
        run = Run(stack, "bench")
        uvloop.run(_over_sockets(run, size))
        run.audit()
    note("Opening a stack with providers inside the workers …")
    with isolated_stack(inprocess.SETTINGS, only=FOR_A_BACKLOG) as stack:
        uvloop.run(_in_process(run, stack, size))
    run.more["targets"] = _targets(run, size)
    return run


async def _over_sockets(run: Run, size: Size) -> None:
    skus = await buyers.demo_catalogue(run, 2 * buyers.MOST_PIECES * (size.backlog + size.posts))
    run.more["backlog"] = {"over_sockets": await _backlog(run, run.stack, size.backlog, "over sockets")}
    note(f"{size.per_second:,.0f} POSTs a second for {size.seconds:,.0f} s …")
    purchases = buyers.crowd(run, size.posts, skus)
    await run.place(size.posts, purchases, CONNECTIONS_OF_BUYERS, per_second=size.per_second)
    note("Writing the same rows by bare SQL, at the same rate …")
    run.more["floor"] = await floor.of_placing(
        run,
        connections=WEB_PROCESSES * WEB_THREADS,
        per_second=size.per_second,
        limit=int(10 * size.per_second),
    )


async def _in_process(run: Run, stack: RunningStack, size: Size) -> None:
    stocking = Run(stack, "stocking")
    await buyers.demo_catalogue(stocking, 2 * buyers.MOST_PIECES * (size.backlog + backlog.WARM_UP))
    await stocking.books.close()
    run.more["backlog"]["in_process"] = await _backlog(run, stack, size.backlog, "inside the workers")


async def _backlog(run: Run, stack: RunningStack, orders: int, where: str) -> dict[str, Any]:
    await backlog.warm_up(stack)
    note(f"A backlog of {orders:,} orders, providers {where} …")
    found, problems = await backlog.measure(stack, orders, CONNECTIONS)
    run.problems += problems
    return found


def _targets(run: Run, size: Size) -> list[dict[str, Any]]:
    found, carried = run.figures.as_json(), run.more["backlog"]
    sockets, inside = (carried[name]["completed_per_s"] for name in ("over_sockets", "in_process"))
    p99, under_way = found["post_ms"].get("p99", 0.0), found["under_way_after_last_post"]
    bearable = size.per_second * KEEPS_UP_SECONDS
    return [
        at_least("backlog over sockets, completed/s at least", OVER_SOCKETS, sockets),
        at_least("backlog in process, completed/s at least", IN_PROCESS, inside),
        at_most(f"POST p99 ms at {size.per_second:g}/s, at most", POST_MS, p99),
        at_most("orders under way after the last POST, at most", bearable, under_way),
    ]


class Only(StrEnum):
    ORDERS = "orders"
    MEDIA = "media"
    UPLOAD = "upload"
    DOCUMENTS = "documents"


@command
def main(
    short: Annotated[bool, typer.Option("--short", help="A small form of it, to see that it works.")] = False,
    only: Annotated[
        Only,
        typer.Option(
            "--only",
            help="orders; media: videos beside bare ffmpeg, invoices beside bare typst; documents: invoices alone; "
            "upload: 10 GB that are interrupted five times.",
        ),
    ] = Only.ORDERS,
    json: Json = None,
) -> int:
    """How many orders a second the shop can do, and what each costs, by kind of process."""
    match only:
        case Only.MEDIA:
            return media.bench(media.SHORT if short else media.FULL, json)
        case Only.UPLOAD:
            return uploading.bench(uploading.SHORT if short else uploading.FULL, json)
        case Only.DOCUMENTS:
            return documents.bench(documents.SHORT if short else documents.FULL, json)
        case Only.ORDERS:
            return bench(SHORT if short else FULL).finish(json)


if __name__ == "__main__":
    main()
