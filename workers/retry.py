"""When a failed step is tried again: one policy a kind of call, readable at a glance; a policy returns a decision.

The next try is a time in the database (orders.driving.look_at), so it survives broker and workers alike.
"""

import random
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.utils import timezone

from orders.outside.failures import Failure, Refused, Transient
from workers.queues import QueueName


@dataclass(frozen=True, slots=True)
class Retry:
    at: datetime


@dataclass(frozen=True, slots=True)
class GiveUp:
    why: str


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """Exponential backoff with full jitter, as in AWS' "Exponential Backoff And Jitter": a random time up to
    `base` × 2^(attempt - 1) seconds, at most `ceiling`; given up after `attempts`. A provider that names a time
    (Retry-After) is not asked before it."""

    base: float
    ceiling: float
    attempts: int

    def decide(self, failure: Failure) -> Retry | GiveUp:
        if isinstance(failure.error, Refused):
            return GiveUp("refused for good")
        if failure.attempt >= self.attempts:
            return GiveUp(f"failed {failure.attempt} times")
        wait = random.uniform(0, self.longest(failure.attempt))  # noqa: S311 (jitter is no secret)
        if isinstance(failure.error, Transient) and failure.error.retry_after:
            wait += failure.error.retry_after
        return Retry(timezone.now() + timedelta(seconds=wait))

    def longest(self, attempt: int) -> float:
        """The longest wait in seconds after the so-manieth failure in a row."""
        return float(min(self.ceiling, self.base * 2 ** min(attempt - 1, 30)))


# Money is asked after for about a day; what tells the customer something soon goes stale.
POLICIES: dict[QueueName, RetryPolicy] = {
    QueueName.PAYMENT: RetryPolicy(base=1, ceiling=600, attempts=150),
    QueueName.SHIPPING: RetryPolicy(base=1, ceiling=600, attempts=150),
    QueueName.EMAIL: RetryPolicy(base=2, ceiling=900, attempts=40),
    QueueName.SMS: RetryPolicy(base=2, ceiling=900, attempts=20),
}
