"""When work that failed is tried again: a policy is an object that returns a decision.

    RetryPolicy(base=1, ceiling=600, failures=300, deadline=timedelta(hours=24))
    # waits up to 1, 2, 4, 8 … 512, 600, 600 … seconds, and gives up after 300 failures in a row or after a day

The next try is a time in the database (`due_at`), so it survives broker and workers alike. `manage.py retries` prints
the policy of every queue.
"""

import random
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.utils import timezone


@dataclass(frozen=True, slots=True)
class Retry:
    at: datetime


@dataclass(frozen=True, slots=True)
class GiveUp:
    why: str


@dataclass(frozen=True, slots=True)
class Backoff:
    """Exponential backoff with full jitter, as in AWS' "Exponential Backoff And Jitter": a random time up to
    `base` × 2^(failures - 1) seconds, at most `ceiling`."""

    base: float
    ceiling: float

    def longest(self, failures: int) -> float:
        """The longest wait in seconds after so many failures in a row."""
        return float(min(self.ceiling, self.base * 2 ** min(failures - 1, 30)))

    def draw(self, failures: int) -> timedelta:
        return timedelta(seconds=random.SystemRandom().uniform(0, self.longest(failures)))


@dataclass(frozen=True, slots=True)
class RetryPolicy(Backoff):
    """Backoff that ends: given up after so many `failures` in a row, or when the order has stood at this step for
    longer than `deadline`, whichever comes first.

    A provider that names a time (Retry-After) is not asked before it; more than `longest_named` seconds it may not
    ask for, or a slip of its clock would park an order for a year.
    """

    failures: int
    deadline: timedelta
    longest_named: float = 3_600.0

    def next(self, failures: int, since: datetime | None = None, named: float = 0.0) -> Retry | GiveUp:
        """What to do after so many failures in a row of work that was first due `since` then; `named` are the seconds
        that the provider asked for."""
        if failures >= self.failures:
            return GiveUp(f"failed {failures} times")
        if self.is_too_late(since):
            return GiveUp(f"not done within {self.deadline}")
        return Retry(timezone.now() + timedelta(seconds=min(named, self.longest_named)) + self.draw(failures))

    def is_too_late(self, since: datetime | None) -> bool:
        return since is not None and timezone.now() - since >= self.deadline
