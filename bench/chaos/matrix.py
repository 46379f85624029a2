"""The kill matrix: one row for each fault and process, for programs; bench.chaos.report makes a table of it."""

from collections import defaultdict
from statistics import median
from typing import Any

from bench.chaos.campaign import Outcome


def rows(outcome: Outcome) -> list[dict[str, Any]]:
    """In the order of the crash points, then what came at random moments. In seconds: `back_max` until the killed
    process ran again, of those killed at random moments; `recovery_p50` and `recovery_max` until the orders had
    recovered, None where they did not. What is oversold cannot be blamed on one fault, so it stands in every row.
    """
    verdict = outcome.verdict
    runs: dict[tuple[str, str], list[int]] = defaultdict(list)
    for index, one in enumerate(outcome.injected):
        runs[one.fault.name, one.process].append(index)
    found = []
    for (name, process), indexes in runs.items():
        injected = [outcome.injected[index] for index in indexes]
        orders = {order for one in injected for order in one.orders}
        known = [seconds for index in indexes if (seconds := outcome.recovery[index]) is not None]
        row = {
            "struck": name,
            "process": process,
            "runs": len(indexes),
            "lost": len(orders & verdict.lost.keys()),
            "doubled": len(orders & verdict.doubled.keys()),
            "oversold": verdict.oversold,
            "back_max": max((round(one.back, 1) for one in injected if one.back is not None), default=None),
            "recovery_p50": round(median(known), 1) if known else None,
            "recovery_max": round(max(known), 1) if len(known) == len(indexes) else None,
        }
        found.append(row)
    return sorted(found, key=lambda row: (":" in row["struck"], row["struck"], row["process"]))


def as_json(outcome: Outcome, **about: Any) -> dict[str, Any]:
    verdict = outcome.verdict
    return {
        **about,
        "seconds": round(outcome.seconds, 1),
        "asked": outcome.asked,
        "accepted": outcome.accepted,
        "refused": dict(outcome.refused),
        "strikes": len(outcome.injected),
        "lost": len(verdict.lost),
        "doubled": len(verdict.doubled),
        "oversold": verdict.oversold,
        "set_apart_and_replayed": outcome.replayed,
        "pdfs_to_make": outcome.unprinted,
        "messages": dict(outcome.messages),
        "books_clean": bool(outcome.audit and outcome.audit["clean"]),
        "matrix": rows(outcome),
        "problems": outcome.problems,
    }
