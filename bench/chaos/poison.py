"""`./dev poison`: one order among many kills every worker that takes it. What do its neighbours feel of it?

Rounds in one stack: a clean one and a poisoned one in turns, so that both meet the same machine. What is compared is
how long the neighbours took from placed to completed.
"""

from dataclasses import asdict, dataclass
from statistics import median
from typing import Annotated, Any, LiteralString

import typer
import uvloop

from bench import buyers, load
from bench.books import TO_COMPLETED_MS
from bench.chaos import poisonous, report
from bench.cli import Json, command
from bench.display import note
from bench.figures import spread
from bench.isolated_stack import isolated_stack
from bench.load import Answer
from bench.run import Run
from bench.running_stack import RunningStack
from bench.waiting import holds

SKU = "BF-1000"
CUSTOMERS = 50
LOOK_SECONDS = 0.2
PATIENCE_SECONDS = 120.0

# How many of the round's orders are completed, were set apart, and there are.
_STATUSES: LiteralString = """
SELECT count(*) FILTER (WHERE status = 'completed' AND ended_at IS NOT NULL),
       count(*) FILTER (WHERE ended_at IS NULL AND due_at IS NULL), count(*)
FROM orders_order WHERE idempotency_key LIKE %(keys)s
"""
# The dead letter of the poison: after how many attempts, and why.
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


async def measure(stack: RunningStack, number: int, orders: int, *, poisoned: bool) -> Round:
    """So many orders, the one in their midst poisonous or not; returns when nothing is left to do for any."""
    run = Run(stack, f"poison{number}")
    middle = orders // 2
    odd = {middle: buyers.card(poisonous.CARD)} if poisoned else {}
    answers: list[Answer] = []
    await load.place(stack["SHOP_URL"], buyers.queue_for(run, orders, SKU, odd), CUSTOMERS, answers.append)

    async def all_done() -> bool:
        return (await run.books.rows(_STATUSES))[0] == (orders - poisoned, int(poisoned), orders)

    await holds(all_done, PATIENCE_SECONDS, LOOK_SECONDS)
    [(completed, _, _)] = await run.books.rows(_STATUSES)
    dead_letters = await run.books.rows(_POISON, {"poison": run.key(middle)})
    times = await run.books.column(TO_COMPLETED_MS)
    await run.books.close()
    attempts, error = dead_letters[0] if dead_letters else (0, "")
    return Round(poisoned, completed, spread(times), attempts, error)


async def rounds(stack: RunningStack, count: int, orders: int) -> list[tuple[Round, Round]]:
    """Pairs of a clean round and a poisoned one."""
    buyers.stock(stack, {SKU: (2 * count + 1) * orders})
    await measure(stack, 0, orders, poisoned=False)  # warms up, and is not counted
    found = []
    for number in range(1, count + 1):
        clean = await measure(stack, 2 * number, orders, poisoned=False)
        found.append((clean, await measure(stack, 2 * number + 1, orders, poisoned=True)))
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


@command
def main(
    orders: Annotated[int, typer.Option(min=10, help="Orders a round.")] = 500,
    rounds_: Annotated[
        int, typer.Option("--rounds", min=1, help="Pairs of a clean and a poisoned round.")
    ] = 5,
    json: Json = None,
) -> int:
    """One order among many kills every worker that takes it: what its neighbours feel of it."""
    note("Opening a stack whose payment provider kills the process that reads one certain answer …")
    gateway = f"{poisonous.__name__}.{poisonous.PoisonousGateway.__name__}"
    with isolated_stack({"PAYMENT_GATEWAY": gateway}) as stack:
        found = uvloop.run(rounds(stack, rounds_, orders))
    wrong = problems(found, orders)
    return report.show(_as_json(found, wrong), wrong, json)


def _as_json(found: list[tuple[Round, Round]], wrong: list[str]) -> dict[str, Any]:
    # The neighbours' p99 in the poisoned round, as a multiple of the clean one's.
    ratios = [
        round(poisoned.to_completed_ms["p99"] / clean.to_completed_ms["p99"], 2) for clean, poisoned in found
    ]
    return {
        "rounds": [{"clean": asdict(clean), "poisoned": asdict(poisoned)} for clean, poisoned in found],
        "p99_ratio": ratios,
        "p99_ratio_median": median(ratios),
        "problems": wrong,
    }


if __name__ == "__main__":
    main()
