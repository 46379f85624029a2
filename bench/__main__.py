"""`./dev bench`: how many orders a second, and what each costs, in a house of its own (bench.lab).

1. A backlog with the sandbox's providers over sockets: how fast the pipeline carries what has piled up.
2. The crowd: so many POSTs a second for so long, open loop, while the pipeline works beside. Then the books are proved.
3. A backlog with providers inside the workers, in a second house: what the shop itself can do.

Each beside its floor: the same rows by bare SQL, in the same house. `--only` has others: media, upload,
documents (bench.media, bench.upload, bench.documents).
"""

import signal
from dataclasses import dataclass
from enum import StrEnum
from types import FrameType
from typing import Annotated, Any

import typer
import uvloop

from bench import backlog, documents, floor, inprocess, lab, shoppers, upload
from bench.cli import Json, command
from bench.display import note
from bench.house import House
from bench.load import Customers, OnAnswer, open_loop
from bench.media import command as media
from bench.run import Run
from stack.layout import STACK
from stack.processes import POOLS, WEB_PROCESSES, WEB_THREADS
from stack.supervisor import Record

# What a backlog is asked of the pools; as many connections the floor gets.
CONNECTIONS = len(POOLS)
# The API's open loop: as many orders a second, and the longest the slowest in a hundred may take.
POST_MS = 250.0
OVER_SOCKETS, IN_PROCESS = 700.0, 2_000.0  # orders completed a second, of a backlog
# What may be under way when the last order has come in, as so many seconds' worth of orders.
KEEPS_UP_SECONDS = 2.0
# A backlog is placed by SQL, and nobody looks on; the providers are within the workers.
NOT_FOR_A_BACKLOG = frozenset(
    {"payments", "sms", "carrier", "mailbox", "web", "live", "nginx", "beat", "flower"}
)
CUSTOMERS = 512  # connections; more than are ever in flight


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
        note(
            "The stack is up beside this and takes its share of the machine; ./dev down first for better figures."
        )
    note("Opening a house with the sandbox's providers …")
    with lab.house() as house:
        run = uvloop.run(_over_sockets(house, size))
        note("Proving the books …")
        run.audit()
    note("Opening a house with providers inside the workers …")
    with lab.house(inprocess.SETTINGS, without=NOT_FOR_A_BACKLOG) as house:
        uvloop.run(_in_process(house, size, run))
    run.more["targets"] = _targets(run, size)
    return run


async def _over_sockets(house: House, size: Size) -> Run:
    plenty = 2 * shoppers.MOST_PIECES * (size.backlog + size.posts)
    run = Run(house, "bench")
    skus = await run.books.on_sale(shoppers.demo_skus())
    shoppers.stock(house, dict.fromkeys(skus, plenty))
    await backlog.warm_up(house)
    note(f"A backlog of {size.backlog:,} orders, providers over sockets …")
    carried, found = await backlog.measure(house, "backlog", size.backlog, CONNECTIONS)
    run.problems += carried.problems
    run.more["backlog"] = {"over_sockets": found}
    note(f"{size.per_second:,.0f} POSTs a second for {size.seconds:,.0f} s …")

    async def order(on_answer: OnAnswer) -> None:
        async with Customers(house["SHOP_URL"], CUSTOMERS) as client:
            await open_loop(client, shoppers.crowd(run, size.posts, skus), size.per_second, on_answer)

    await run.carry(size.posts, order)
    note("Writing the same rows by bare SQL, at the same rate …")
    run.more["floor"] = await floor.of_placing(
        run,
        connections=WEB_PROCESSES * WEB_THREADS,
        per_second=size.per_second,
        limit=int(10 * size.per_second),
    )
    return run


async def _in_process(house: House, size: Size, run: Run) -> None:
    catalogue = Run(house, "stocking")
    skus = await catalogue.books.on_sale(shoppers.demo_skus())
    await catalogue.books.close()
    shoppers.stock(house, dict.fromkeys(skus, 2 * shoppers.MOST_PIECES * (size.backlog + backlog.WARM_UP)))
    await backlog.warm_up(house)
    note(f"A backlog of {size.backlog:,} orders, providers inside the workers …")
    carried, found = await backlog.measure(house, "backlog", size.backlog, CONNECTIONS)
    run.problems += carried.problems
    run.more["backlog"]["in_process"] = found


def _targets(run: Run, size: Size) -> list[dict[str, Any]]:
    """What is asked of the shop and what it did. A target missed is a figure to look at, and no failed run."""
    found, carried = run.figures.as_json(), run.more["backlog"]
    sockets, inside = (carried[name]["completed_per_s"] for name in ("over_sockets", "in_process"))
    under_way = found["under_way_after_last_post"]
    p99 = found["post_ms"].get("p99", 0.0)
    return [
        _target("backlog over sockets, completed/s at least", OVER_SOCKETS, sockets, sockets >= OVER_SOCKETS),
        _target("backlog in process, completed/s at least", IN_PROCESS, inside, inside >= IN_PROCESS),
        _target(f"POST p99 ms at {size.per_second:g}/s, at most", POST_MS, p99, p99 <= POST_MS),
        _target(
            "orders under way after the last POST, at most",
            size.per_second * KEEPS_UP_SECONDS,
            under_way,
            under_way <= size.per_second * KEEPS_UP_SECONDS,
        ),
    ]


def _target(name: str, wanted: float, measured: float, met: bool) -> dict[str, Any]:
    return {"name": name, "wanted": wanted, "measured": measured, "met": met}


def _end(_number: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt


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
    signal.signal(signal.SIGTERM, _end)  # so that the house is taken down with us
    if only is Only.MEDIA:
        return media.bench(media.SHORT if short else media.FULL, json)
    if only is Only.UPLOAD:
        return upload.bench(upload.SHORT if short else upload.FULL, json)
    if only is Only.DOCUMENTS:
        return documents.bench(documents.SHORT if short else documents.FULL, json)
    return bench(SHORT if short else FULL).finish(json)


if __name__ == "__main__":
    main()
