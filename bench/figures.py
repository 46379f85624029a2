"""The figures of one run: what they are, how they are computed, and the names under which programs read them."""

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

PERCENTILES = (50, 95, 99)


def percentile(ordered: Sequence[float], percent: float) -> float:
    """The smallest value that at least `percent` % of the values do not exceed (nearest rank), of a sorted list.

    It is always a value that was measured. A value between two measured ones is a time that nobody waited.
    """
    if not ordered:
        raise ValueError("there is no percentile of nothing")
    return ordered[max(0, math.ceil(len(ordered) * percent / 100) - 1)]


def spread(values: Sequence[float]) -> dict[str, float]:
    """p50, p95, p99 and max, rounded to hundredths; {} of nothing."""
    if not values:
        return {}
    ordered = sorted(values)
    found = {f"p{percent}": round(percentile(ordered, percent), 2) for percent in PERCENTILES}
    return {**found, "max": round(ordered[-1], 2)}


def rate(count: int, seconds: float) -> float:
    """How many a second, rounded to tenths; 0 when nothing was counted."""
    return round(count / seconds, 1) if count and seconds > 0 else 0.0


def at_least(name: str, wanted: float, measured: float) -> dict[str, Any]:
    """A target and whether it was met. A missed target is a figure to look at, not a failed run."""
    return {"name": name, "wanted": wanted, "measured": measured, "met": measured >= wanted}


def at_most(name: str, wanted: float, measured: float) -> dict[str, Any]:
    """The same for a target that must not be exceeded."""
    return {"name": name, "wanted": wanted, "measured": measured, "met": measured <= wanted}


@dataclass(slots=True)
class Figures:
    """One run. Times are in seconds, unless their name says milliseconds; counts are of orders."""

    accepted: int = 0
    refused: Counter[str] = field(default_factory=Counter)  # reason -> orders
    ended: Counter[str] = field(default_factory=Counter)  # status -> orders
    accepting: float = 0.0  # from the first POST to the last answer
    completing: float = 0.0  # from the first order placed to the last one completed
    post_ms: Sequence[float] = ()  # of each answer, retries included
    to_completed_ms: Sequence[float] = ()  # of each completed order
    under_way: int = 0  # orders that had not ended when the last answer came
    repeated_posts: int = 0  # sent again with the same key, after no answer or one that said "later"
    cpu: Mapping[str, float] = field(default_factory=dict)  # kind of process -> seconds of CPU
    load_cpu: float = 0.0  # seconds of CPU of the load generator itself

    def cpu_ms_per_order(self) -> dict[str, float]:
        """Milliseconds of CPU for each order that ended, the most expensive kind of process first."""
        if not (orders := self.ended.total()):
            return {}
        each = {kind: round(1000 * seconds / orders, 3) for kind, seconds in self.cpu.items()}
        return dict(sorted(each.items(), key=lambda one: -one[1]))

    def as_json(self) -> dict[str, Any]:
        return {
            "accepted": self.accepted,
            "refused": dict(self.refused.most_common()),
            "ended": dict(self.ended.most_common()),
            "accepted_per_s": rate(self.accepted, self.accepting),
            "post_ms": spread(self.post_ms),
            "under_way_after_last_post": self.under_way,
            "repeated_posts": self.repeated_posts,
            "load_generator_cpu_ms_per_order": round(1000 * self.load_cpu / (self.ended.total() or 1), 3),
            **self.of_pipeline(),
        }

    def of_pipeline(self) -> dict[str, Any]:
        """The part that is about the orders after they were accepted."""
        each = self.cpu_ms_per_order()
        return {
            "completed_per_s": rate(self.ended["completed"], self.completing),
            "to_completed_ms": spread(self.to_completed_ms),
            "cpu_ms_per_order": each,
            "cpu_ms_per_order_total": round(sum(each.values()), 3),
        }
