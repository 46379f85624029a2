"""`./dev chaos`: the kill matrix, in a house of its own."""

import os
import platform
import signal
from datetime import UTC, datetime
from pathlib import Path
from types import FrameType
from typing import Annotated

import orjson
import typer
import uvloop

from bench.chaos import matrix
from bench.chaos.campaign import campaign
from bench.chaos.house import opened
from bench.chaos.plan import plan
from bench.cli import Json, command
from bench.display import note
from orders.crashpoints import Point
from stack.program import StackError


def _points(only: list[str]) -> list[Point]:
    known = {point.value: point for point in Point}
    chosen: list[Point] = []
    for name in only:
        found = [point for value, point in known.items() if value == name or value.startswith(f"{name}.")]
        if not found:
            raise StackError(f"there is no crash point {name!r}. There are:\n  " + "\n  ".join(known))
        chosen += found
    return chosen


def _end(_number: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt


@command
def main(
    orders: Annotated[int, typer.Option(min=1, help="How many orders in all.")] = 1_000,
    kills: Annotated[int, typer.Option(min=0, help="How many strikes.")] = 40,
    seed: Annotated[int, typer.Option(help="The same seed gives the same plan again.")] = 1,
    only: Annotated[
        list[str] | None, typer.Option(help="A crash point, or all of one step: charge. May be repeated.")
    ] = None,
    json: Json = None,
    keep: Annotated[Path | None, typer.Option(help="Open the house in this folder, and leave it.")] = None,
) -> int:
    """Kill, cut, wipe and lie to a whole house under load; then prove that nothing was lost, doubled or oversold."""
    signal.signal(signal.SIGTERM, _end)  # so that the house is taken down with us
    drawn = plan(kills, seed, _points(only or []))
    note("Opening a house …")
    with opened(keep) as house:
        outcome = uvloop.run(campaign(house, drawn, orders, seed))
    matrix.tell(outcome)
    if json:
        about = {
            "at": datetime.now(UTC).isoformat(timespec="seconds"),
            "machine": f"{platform.system()} {platform.machine()}, {os.cpu_count()} cores",
            "orders": orders,
            "kills": kills,
            "seed": seed,
        }
        json.write_bytes(orjson.dumps(matrix.as_json(outcome, **about), option=orjson.OPT_INDENT_2) + b"\n")
    return 1 if outcome.problems else 0


if __name__ == "__main__":
    main()
