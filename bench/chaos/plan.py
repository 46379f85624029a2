"""The plan of a campaign: which faults are injected, in which order, drawn with a seed, so that a run can be repeated.

Most of the plan is kills at crash points, each as often as every other. The rest comes at a random moment: kills of
each kind of process, a broker that forgets, freezes or is cut off, and providers that misbehave.
"""

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from itertools import islice
from typing import TypeVar

from bench.running_stack import POOL_NAMES, PROVIDERS
from orders.crashpoints import Point

T = TypeVar("T")

# One in so many kills of a worker's child takes its main process instead, and the child goes on for a while.
PARENTS = 5


class Kind(StrEnum):
    """How a fault is injected (bench.chaos.injector)."""

    POINT = "point"
    KILL = "kill"
    KILL_CHILD = "kill a child"
    BROKER = "broker"
    NETWORK = "network"
    PROVIDER = "provider"


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing that is done: at a crash point, to a process, or to what lies in between."""

    kind: Kind
    target: str
    action: str = ""

    @property
    def name(self) -> str:
        """Its row in the matrix."""
        return self.target if self.kind is Kind.POINT else f"{self.target}: {self.action or 'killed'}"


# At a random moment.
AT_RANDOM: tuple[Fault, ...] = (
    *(Fault(Kind.KILL, name) for name in ("web", "relay", "beat", "live", "valkey", "postgres", "nginx")),
    *(Fault(Kind.KILL, name) for name in (*PROVIDERS, *POOL_NAMES)),
    *(
        Fault(Kind.KILL_CHILD, name, "child killed")
        for name in ("web", *POOL_NAMES)
        if name
        not in ("bulk", "documents")  # the first is idle in a campaign, the other's dies at its own points
    ),
    *(Fault(Kind.BROKER, "valkey", action) for action in ("wiped", "restarted empty", "paused")),
    *(
        Fault(Kind.NETWORK, target, action)
        for target in ("valkey", "payments")
        for action in ("delayed", "cut", "half open")
    ),
    *(
        Fault(Kind.PROVIDER, "payments", action)
        for action in ("slow", "hanging", "answering 500", "answering too late", "losing answers")
    ),
    Fault(Kind.PROVIDER, "payments", "webhooks twice, early and late"),
    *(Fault(Kind.PROVIDER, target, "losing answers") for target in ("sms", "carrier", "mailbox")),
)

# The faults of a whole campaign: each crash point five times, all else once.
WHOLE = 5 * len(Point) + len(AT_RANDOM)

# What is no task: the process above it is not a worker's main process, and is never killed there.
NO_TASKS = frozenset({"relay", "outbox", "place", "webhook"})
# Points that a worker's main process passes.
OF_MAIN = frozenset({Point.TASK_BEFORE_ACK, Point.TASK_AFTER_ACK})


def plan(faults: int, seed: int, only: Sequence[Point] = ()) -> list[Fault]:
    """So many faults; with `only`, all of them at these points."""
    dice = random.Random(seed)
    at_points = faults if only else round(faults * (1 - len(AT_RANDOM) / WHOLE))
    chosen = [
        Fault(Kind.POINT, point.value, _action(dice, point))
        for point in islice(_rounds(dice, tuple(only) or tuple(Point)), at_points)
    ]
    for fault in list(islice(_rounds(dice, AT_RANDOM), faults - at_points)):
        chosen.insert(dice.randrange(len(chosen) + 1), fault)
    return chosen


def _action(dice: random.Random, point: Point) -> str:
    of_child = point.value.partition(".")[0] not in NO_TASKS and point not in OF_MAIN
    return "kill-parent" if of_child and dice.randrange(PARENTS) == 0 else "kill"


def _rounds(dice: random.Random, things: Sequence[T]) -> Iterator[T]:
    """All of them in a random order, then again in another: each comes as often as every other."""
    while True:
        yield from dice.sample(things, len(things))
