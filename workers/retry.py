"""When a failed step is tried again: one policy a queue, readable at a glance; a policy returns a decision.

The next try is a time in the database (orders.scheduling.look_at), so it survives broker and workers alike. While a
provider is away altogether no policy is asked: its orders are parked (workers.breakers). `manage.py retries` prints the
table of all this.
"""

import random
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from django.db import InterfaceError, OperationalError
from django.utils import timezone
from kombu.exceptions import OperationalError as BrokerError
from redis.exceptions import RedisError

from orders.providers.failures import Transient
from workers.queues import QueueName

# Deadlocks among them: whoever is told of one has done nothing, and nobody outside was asked.
OUR_HOUSE = (OperationalError, InterfaceError, BrokerError, RedisError)


class Kind(StrEnum):
    """What an error is; business outcomes (declined, sold out) are states of an order and come here never."""

    TRANSIENT = "may pass: tried again, and counted"
    HOUSE = "our own house is down: waited for, and not counted"
    BROKEN = "a bug, or refused for good: a person must look"


def kind_of(error: BaseException) -> Kind:
    if isinstance(error, Transient):
        return Kind.TRANSIENT
    return Kind.HOUSE if isinstance(error, OUR_HOUSE) else Kind.BROKEN


@dataclass(frozen=True, slots=True)
class Retry:
    at: datetime


@dataclass(frozen=True, slots=True)
class Wait:
    """As Retry, but nothing was tried: no attempt is counted, and it is waited for as long as it takes."""

    at: datetime


@dataclass(frozen=True, slots=True)
class GiveUp:
    why: str


@dataclass(frozen=True, slots=True)
class Backoff:
    """Exponential backoff with full jitter, as in AWS' "Exponential Backoff And Jitter": a random time up to
    `base` × 2^(attempt - 1) seconds, at most `ceiling`."""

    base: float
    ceiling: float

    def longest(self, attempt: int) -> float:
        """The longest wait in seconds after the so-manieth failure in a row."""
        return float(min(self.ceiling, self.base * 2 ** min(attempt - 1, 30)))

    def draw(self, attempt: int) -> timedelta:
        return timedelta(seconds=random.uniform(0, self.longest(attempt)))  # noqa: S311 (jitter is no secret)


class HousePolicy(Backoff):
    """How long to wait for our own database or broker before looking again: for as long as it takes."""

    def wait(self, attempt: int) -> Wait:
        return Wait(timezone.now() + self.draw(attempt))


@dataclass(frozen=True, slots=True)
class RetryPolicy(Backoff):
    """Backoff that ends: given up after `failures` failures in a row, or when the order has stood at this point for
    longer than `deadline`, whichever comes first.

    A provider that names a time (Retry-After) is not asked before it; more than `longest_named` seconds it may not
    ask for, or a slip of its clock would park an order for a year.
    """

    failures: int
    deadline: timedelta
    longest_named: float = 3_600.0

    def decide(
        self, error: BaseException, attempt: int, since: datetime | None = None
    ) -> Retry | Wait | GiveUp:
        """What to do after the so-manieth failure in a row of an order that stands here `since` then."""
        now = timezone.now()
        match kind_of(error):
            case Kind.BROKEN:
                return GiveUp("it would fail again")
            case Kind.HOUSE:
                return HOUSE.wait(attempt)
        if attempt >= self.failures:
            return GiveUp(f"failed {attempt} times")
        if self.is_too_late(since):
            return GiveUp(f"not done within {self.deadline}")
        named = error.retry_after if isinstance(error, Transient) and error.retry_after else 0.0
        return Retry(now + timedelta(seconds=min(named, self.longest_named)) + self.draw(attempt))

    def is_too_late(self, since: datetime | None) -> bool:
        """Whether an order that stands here since then has waited for long enough."""
        return since is not None and timezone.now() - since >= self.deadline


# Money is asked after for a day, and so is the carrier; what tells the customer something soon goes stale. Short
# database work has nobody outside to wait for: what fails there is our house, or a bug.
POLICIES: dict[QueueName, RetryPolicy] = {
    QueueName.INVENTORY: RetryPolicy(base=1, ceiling=60, failures=10, deadline=timedelta(hours=1)),
    QueueName.PAYMENT: RetryPolicy(base=1, ceiling=600, failures=300, deadline=timedelta(hours=24)),
    QueueName.SHIPPING: RetryPolicy(base=1, ceiling=600, failures=300, deadline=timedelta(hours=24)),
    QueueName.EMAIL: RetryPolicy(base=2, ceiling=900, failures=60, deadline=timedelta(hours=6)),
    QueueName.SMS: RetryPolicy(base=2, ceiling=900, failures=30, deadline=timedelta(hours=3)),
    # A full disk, or no processor for half an hour: somebody makes room.
    QueueName.MEDIA: RetryPolicy(base=5, ceiling=600, failures=60, deadline=timedelta(hours=24)),
}
HOUSE = HousePolicy(base=0.5, ceiling=5)


def policy_of(task: str) -> RetryPolicy:
    """The policy of a task, by its name, which begins with its queue's."""
    return POLICIES[QueueName(task.partition(".")[0])]


def schedule() -> list[str]:
    """The policies as a table for people, a line each."""
    lines = [
        f"{'queue':<10} {'longest wait after failure 1, 2, 3 … (s)':<46} {'failures':>8} {'deadline':>9}"
    ]
    for queue, policy in POLICIES.items():
        waits: list[str] = []
        for attempt in range(1, 12):
            waits.append(f"{policy.longest(attempt):g}")
            if policy.longest(attempt) == policy.ceiling:
                break
        hours = policy.deadline.total_seconds() / 3_600
        lines.append(f"{queue.value:<10} {' '.join(waits) + ' …':<46} {policy.failures:>8} {hours:>7g} h")
    lines.append(
        "A wait is drawn evenly from 0 to the longest, after any time that the provider named (Retry-After)."
    )
    lines.append(
        "Our own database or broker down: waited for without counting. Refused, or a bug: given up at once."
    )
    return lines
