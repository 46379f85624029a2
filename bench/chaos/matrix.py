"""The kill matrix: one row for each fault and process, for programs; bench.chaos.report makes a table of it."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from statistics import median
from typing import Any

from bench.chaos.injector import Injected
from bench.chaos.verdict import Verdict


def rows(
    injected: Sequence[Injected], verdict: Verdict, recovery: Mapping[int, float | None]
) -> list[dict[str, Any]]:
    """In the order of the crash points, then what came at random moments. In seconds: `back_max` until the killed
    process ran again, of those killed at random moments; `recovery_p50` and `recovery_max` until the orders had
    recovered, None where they did not. What is oversold cannot be blamed on one fault, so it stands in every row.
    """
    runs: dict[tuple[str, str], list[int]] = defaultdict(list)
    for index, one in enumerate(injected):
        runs[one.fault.name, one.process].append(index)
    found = []
    for (name, process), indexes in runs.items():
        these = [injected[index] for index in indexes]
        orders = {order for one in these for order in one.orders}
        known = [seconds for index in indexes if (seconds := recovery[index]) is not None]
        row = {
            "struck": name,
            "process": process,
            "runs": len(indexes),
            "lost": len(orders & verdict.lost.keys()),
            "doubled": len(orders & verdict.doubled.keys()),
            "oversold": verdict.oversold,
            "back_max": max((round(one.back, 1) for one in these if one.back is not None), default=None),
            "recovery_p50": round(median(known), 1) if known else None,
            "recovery_max": round(max(known), 1) if len(known) == len(indexes) else None,
        }
        found.append(row)
    return sorted(found, key=lambda row: (":" in row["struck"], row["struck"], row["process"]))
