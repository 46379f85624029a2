"""`./dev poison`: one order among many kills every worker that drives it. What do its neighbours feel of it?

Rounds in one house: a clean one and a poisoned one in turns, so that both meet the same machine. What is compared is
how long the neighbours took from placed to completed.
"""

import asyncio
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from statistics import median
from typing import Annotated, Any, LiteralString

import orjson
import typer
import uvloop
from rich.table import Table

from bench import lab, shoppers
from bench.chaos import poisonous
from bench.cli import Json, command
from bench.display import note
from bench.figures import spread
from bench.house import House
from bench.load import Answer, Customers, Purchase, closed_loop
from bench.run import Run
from stack.console import out

SKU = "BF-1000"
CUSTOMERS = 50
LOOK_SECONDS = 0.2
PATIENCE_SECONDS = 120.0

_STANDING: LiteralString = """
SELECT count(*) FILTER (WHERE status = 'completed' AND ended_at IS NOT NULL),
       count(*) FILTER (WHERE ended_at IS NULL AND due_at IS NULL), count(*)
FROM orders_order WHERE idempotency_key LIKE %(keys)s
"""
_POISON: LiteralString = """
SELECT o.attempts_total, d.error_class FROM orders_order o JOIN workers_deadletter d ON d.order_id = o.id
WHERE o.idempotency_key = %(poison)s
"""


@dataclass(frozen=True, slots=True)
class Round:
    """`to_completed_ms` is of the neighbours; `attempts` of the poison until it was set apart, 0 in a clean round."""

    poisoned: bool
    completed: int
    to_completed_ms: dict[str, float]
    attempts: int
    error: str


async def measure(house: House, number: int, orders: int, *, poisoned: bool) -> Round:
    """So many orders, the one in their midst poisonous or not; returns when nothing is left to do for any."""
    run = Run(house, f"poison{number}")
    answers: list[Answer] = []
    async with Customers(house["SHOP_URL"], CUSTOMERS) as client:
        await closed_loop(client, _purchases(run, orders, poisoned), CUSTOMERS, answers.append)
    wanted = (orders - poisoned, int(poisoned), orders)
    until = asyncio.get_running_loop().time() + PATIENCE_SECONDS
    while (standing := (await run.books.rows(_STANDING))[0]) != wanted:
        if asyncio.get_running_loop().time() > until:
            break
        await asyncio.sleep(LOOK_SECONDS)
    letters = await run.books.rows(_POISON, {"poison": run.key(orders // 2)})
    times = await run.books.to_completed_ms()
    await run.books.close()
    attempts, error = letters[0] if letters else (0, "")
    return Round(poisoned, standing[0], spread(times), attempts, error)


def _purchases(run: Run, orders: int, poisoned: bool) -> Iterator[Purchase]:
    for number, purchase in enumerate(shoppers.queue_for(run, orders, SKU)):
        if poisoned and number == orders // 2:
            body = orjson.loads(purchase.body)
            body["payment"]["token"] = poisonous.CARD
            purchase = Purchase(purchase.key, orjson.dumps(body))
        yield purchase


async def rounds(house: House, count: int, orders: int) -> list[tuple[Round, Round]]:
    """Pairs of a clean round and a poisoned one."""
    shoppers.stock(house, {SKU: (2 * count + 1) * orders})
    await measure(house, 0, orders, poisoned=False)  # warms up, and is not counted
    found = []
    for number in range(1, count + 1):
        clean = await measure(house, 2 * number, orders, poisoned=False)
        found.append((clean, await measure(house, 2 * number + 1, orders, poisoned=True)))
        note(f"{number} of {count} rounds")
    return found


def problems(found: list[tuple[Round, Round]], orders: int) -> list[str]:
    """What did not come out as it must; a slow round is a figure and no problem."""
    wrong = []
    for number, (clean, poisoned) in enumerate(found, start=1):
        if (clean.completed, poisoned.completed) != (orders, orders - 1):
            wrong.append(f"Round {number}: {clean.completed} and {poisoned.completed} orders were completed.")
        if not poisoned.attempts:
            wrong.append(f"Round {number}: the poison did not become a dead letter.")
    return wrong


def ratios(found: list[tuple[Round, Round]]) -> list[float]:
    """The neighbours' p99 in the poisoned round, as a multiple of the clean one's."""
    return [
        round(poisoned.to_completed_ms["p99"] / clean.to_completed_ms["p99"], 2) for clean, poisoned in found
    ]


@command
def main(
    orders: Annotated[int, typer.Option(min=10, help="Orders a round.")] = 500,
    rounds_: Annotated[
        int, typer.Option("--rounds", min=1, help="Pairs of a clean and a poisoned round.")
    ] = 5,
    json: Json = None,
) -> int:
    """One order among many kills every worker that drives it: what its neighbours feel of it."""
    note("Opening a house whose payment provider kills who reads one certain answer …")
    gateway = f"{poisonous.__name__}.{poisonous.PoisonousGateway.__name__}"
    with lab.house({"PAYMENT_GATEWAY": gateway}) as house:
        found = uvloop.run(rounds(house, rounds_, orders))
    table = Table(
        *(
            "round",
            "clean p50 ms",
            "p99 ms",
            "poisoned p50 ms",
            "p99 ms",
            "p99, times",
            "attempts of the poison",
        ),
        title=f"One poisonous order among {orders}",
    )
    for number, ((clean, poisoned), ratio) in enumerate(zip(found, ratios(found), strict=True), start=1):
        times = [one.to_completed_ms[name] for one in (clean, poisoned) for name in ("p50", "p99")]
        table.add_row(str(number), *(f"{ms:,.0f}" for ms in times), f"{ratio:.2f}", str(poisoned.attempts))
    out.print(table, soft_wrap=False)
    out.print(f"p99 of the neighbours: {median(ratios(found)):.2f} times that of a clean round (median).")
    wrong = problems(found, orders)
    for problem in wrong:
        out.print(f"[bold red]{problem}[/bold red]")
    if json:
        json.write_bytes(orjson.dumps(_as_json(found, wrong), option=orjson.OPT_INDENT_2) + b"\n")
    return 1 if wrong else 0


def _as_json(found: list[tuple[Round, Round]], wrong: list[str]) -> dict[str, Any]:
    return {
        "rounds": [{"clean": asdict(clean), "poisoned": asdict(poisoned)} for clean, poisoned in found],
        "p99_ratio": ratios(found),
        "p99_ratio_median": median(ratios(found)),
        "problems": wrong,
    }


if __name__ == "__main__":
    main()
