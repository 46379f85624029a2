"""`./dev chaos`: the kill matrix, in an isolated stack."""

import os
import platform
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer
import uvloop

from bench.chaos import report
from bench.chaos.campaign import campaign
from bench.chaos.faulty_stack import faulty_stack
from bench.chaos.plan import plan
from bench.cli import Json, command
from bench.display import note
from orders.crashpoints import Point
from stack.program import StackError


def _points(only: list[str]) -> list[Point]:
    chosen: list[Point] = []
    for name in only:
        found = [point for point in Point if point.value == name or point.value.startswith(f"{name}.")]
        if not found:
            raise StackError(f"there is no crash point {name!r}. There are:\n  " + "\n  ".join(Point))
        chosen += found
    return chosen


@command
def main(
    orders: Annotated[int, typer.Option(min=1, help="How many orders in all.")] = 1_000,
    kills: Annotated[int, typer.Option(min=0, help="How many faults.")] = 40,
    seed: Annotated[int, typer.Option(help="The same seed gives the same plan again.")] = 1,
    only: Annotated[
        list[str] | None, typer.Option(help="A crash point, or all of one step: charge. May be repeated.")
    ] = None,
    json: Json = None,
    keep: Annotated[Path | None, typer.Option(help="Open the stack in this folder, and leave it.")] = None,
) -> int:
    """Kill, cut, wipe and lie to a whole stack under load; then prove that nothing was lost, doubled or oversold."""
    drawn = plan(kills, seed, _points(only or []))
    note("Opening a stack …")
    with faulty_stack(keep) as stack:
        outcome = uvloop.run(campaign(stack, drawn, orders, seed))
    about = {
        "at": datetime.now(UTC).isoformat(timespec="seconds"),
        "machine": f"{platform.system()} {platform.machine()}, {os.cpu_count()} cores",
    }
    found = {**about, "orders": orders, "kills": kills, "seed": seed, **outcome}
    return report.show(found, outcome["problems"], json)


if __name__ == "__main__":
    main()
