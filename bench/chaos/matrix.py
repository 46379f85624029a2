"""The kill matrix: one row for each place and process, as a table for people and as JSON for programs."""

from collections import defaultdict
from dataclasses import asdict, dataclass
from statistics import median
from typing import Any

from rich.table import Table

from bench.chaos.campaign import Outcome
from stack.console import out


@dataclass(frozen=True, slots=True)
class Row:
    """In seconds: `back_max` until the killed process ran again, of those killed at random moments; `recovery_p50` and
    `recovery_max` until the orders had recovered, None where they did not.
    """

    struck: str
    process: str
    runs: int
    lost: int
    doubled: int
    oversold: int
    back_max: float | None
    recovery_p50: float | None
    recovery_max: float | None


def rows(outcome: Outcome) -> list[Row]:
    """In the order of the registry's points, then what struck at random moments. What is oversold cannot be blamed on
    one strike, so it stands in every row.
    """
    verdict = outcome.verdict
    runs: dict[tuple[str, str], list[int]] = defaultdict(list)
    for index, one in enumerate(outcome.struck):
        runs[one.strike.name, one.process].append(index)
    found = []
    for (name, process), indexes in runs.items():
        orders = {order for index in indexes for order in outcome.struck[index].orders}
        times = [outcome.recovery[index] for index in indexes]
        known = [seconds for seconds in times if seconds is not None]
        whole = len(known) == len(times)
        found.append(
            Row(
                struck=name,
                process=process,
                runs=len(indexes),
                lost=len(orders & verdict.lost.keys()),
                doubled=len(orders & verdict.doubled.keys()),
                oversold=verdict.oversold,
                back_max=max(
                    (round(back, 1) for index in indexes if (back := outcome.struck[index].back) is not None),
                    default=None,
                ),
                recovery_p50=round(median(known), 1) if known else None,
                recovery_max=round(max(known), 1) if whole else None,
            )
        )
    return sorted(found, key=lambda row: (":" in row.struck, row.struck, row.process))


def as_json(outcome: Outcome, **about: Any) -> dict[str, Any]:
    verdict = outcome.verdict
    return {
        **about,
        "seconds": round(outcome.seconds, 1),
        "asked": outcome.asked,
        "accepted": outcome.accepted,
        "refused": dict(outcome.refused),
        "strikes": len(outcome.struck),
        "lost": len(verdict.lost),
        "doubled": len(verdict.doubled),
        "oversold": verdict.oversold,
        "set_apart_and_replayed": outcome.replayed,
        "pdfs_to_make": outcome.unprinted,
        "messages": dict(outcome.meddled),
        "books_clean": bool(outcome.audit and outcome.audit["clean"]),
        "matrix": [asdict(row) for row in rows(outcome)],
        "problems": outcome.problems,
    }


def tell(outcome: Outcome) -> None:
    table = Table("struck", "process", *_NUMBERS, title="The kill matrix")
    for column in table.columns[2:]:
        column.justify = "right"
    for row in rows(outcome):
        table.add_row(
            row.struck,
            row.process,
            *map(str, (row.runs, row.lost, row.doubled, row.oversold)),
            "" if row.back_max is None else str(row.back_max),
            *("never" if value is None else str(value) for value in (row.recovery_p50, row.recovery_max)),
        )
    out.print(table, soft_wrap=False)
    verdict = outcome.verdict
    out.print(
        f"{len(outcome.struck)} strikes, {outcome.accepted:,} orders accepted: {len(verdict.lost)} lost,"
        f" {len(verdict.doubled)} doubled, {verdict.oversold} oversold;"
        f" {outcome.replayed} set apart and replayed. {outcome.seconds:,.0f} s."
    )
    for problem in outcome.problems:
        out.print(f"[bold red]{problem}[/bold red]")


_NUMBERS = ("runs", "lost", "doubled", "oversold", "back after s", "recovery p50 s", "max s")
