"""What is done to the house, in which order: drawn by dice with a seed, so that a run can be had again.

Most of the plan is kills at crash points, each as often as every other. The rest is what hits at a random moment: kills
of each kind of process, a broker that forgets, freezes or is cut off, and providers that misbehave.
"""

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import TypeVar

from bench.chaos.house import POOL_NAMES
from orders.crashpoints import Point

T = TypeVar("T")

AT_POINTS = 13 / 15  # of all strikes
# One in so many kills of a worker's child takes its main process instead, and the child goes on for a while.
PARENTS = 5


class Way(StrEnum):
    """How a strike is done (bench.chaos.strikes)."""

    POINT = "point"
    KILL = "kill"
    KILL_CHILD = "kill a child"
    BROKER = "broker"
    NETWORK = "network"
    PROVIDER = "provider"


@dataclass(frozen=True, slots=True)
class Strike:
    """One thing that is done: at a crash point, to a process, or to what lies in between."""

    way: Way
    target: str
    action: str = ""

    @property
    def name(self) -> str:
        """Its row in the matrix."""
        if self.way is Way.POINT:
            return self.target
        return f"{self.target}: {self.action or 'killed'}"


MOMENTS: tuple[Strike, ...] = (
    *(Strike(Way.KILL, name) for name in ("web", "relay", "beat", "live", "valkey", "postgres", "nginx")),
    *(Strike(Way.KILL, f"{name}") for name in ("payments", "sms", "carrier", "mailbox")),
    *(Strike(Way.KILL, name) for name in POOL_NAMES),
    *(
        Strike(Way.KILL_CHILD, name, "child killed")
        for name in ("web", *POOL_NAMES)
        if name not in ("bulk", "documents")  # the one does nothing then, the other's dies at its own points
    ),
    *(Strike(Way.BROKER, "valkey", action) for action in ("wiped", "restarted empty", "paused")),
    *(
        Strike(Way.NETWORK, target, action)
        for target in ("valkey", "payments")
        for action in ("delayed", "cut", "half open")
    ),
    *(
        Strike(Way.PROVIDER, "payments", action)
        for action in (
            "slow",
            "hanging",
            "answering 500",
            "answering too late",
            "losing answers",
            "webhooks twice, early and late",
        )
    ),
    *(Strike(Way.PROVIDER, target, "losing answers") for target in ("sms", "carrier", "mailbox")),
)

# Points of tasks, whose process has a main process above it.
_OF_CHILDREN = frozenset(
    point
    for point in Point
    if point.value.partition(".")[0] not in ("relay", "feed", "place", "webhook")
    and point not in (Point.TASK_BEFORE_ACK, Point.TASK_AFTER_ACK)
)


def plan(strikes: int, seed: int, only: Sequence[Point] = ()) -> list[Strike]:
    """So many strikes; with `only`, all of them at these points."""
    dice = random.Random(seed)
    points = tuple(only) or tuple(Point)
    at_points = strikes if only else round(strikes * AT_POINTS)
    chosen = [
        Strike(Way.POINT, point.value, _action(dice, point))
        for point, _ in zip(_rounds(dice, points), range(at_points), strict=False)
    ]
    moments = [moment for moment, _ in zip(_rounds(dice, MOMENTS), range(strikes - at_points), strict=False)]
    for moment in moments:
        chosen.insert(dice.randrange(len(chosen) + 1), moment)
    return chosen


def _action(dice: random.Random, point: Point) -> str:
    return "kill-parent" if point in _OF_CHILDREN and dice.randrange(PARENTS) == 0 else "kill"


def _rounds(dice: random.Random, things: Sequence[T]) -> Iterator[T]:
    """All of them in a random order, then again in another: each comes as often as every other."""
    while True:
        yield from dice.sample(things, len(things))
