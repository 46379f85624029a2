"""What is done about work that failed: the kinds of failure, and the retry policy of every queue.

The policies of orders' steps are in the table of steps (orders.workflow), those of all other work here. While a
provider is away no policy is asked: its orders are parked (workers.breakers). `manage.py retries` prints all policies.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from django.db import InterfaceError, OperationalError
from django.utils import timezone
from kombu.exceptions import OperationalError as BrokerError
from redis.exceptions import RedisError

from orders.providers.failures import Transient
from orders.retry import Backoff, GiveUp, Retry, RetryPolicy
from orders.workflow import STEPS
from workers.queues import QueueName

# Our own database or broker is down. A deadlock is among them: nothing was done, and no provider was called.
INFRASTRUCTURE_DOWN = (OperationalError, InterfaceError, BrokerError, RedisError)


class Kind(StrEnum):
    """What an error is. Business outcomes (declined, sold out) are states of an order, not errors."""

    TRANSIENT = "may pass: tried again, and counted"
    INFRASTRUCTURE = "our own database or broker is down: waited for, and not counted"
    BROKEN = "a bug, or refused for good: a person must look"


def kind_of(error: BaseException) -> Kind:
    if isinstance(error, Transient):
        return Kind.TRANSIENT
    return Kind.INFRASTRUCTURE if isinstance(error, INFRASTRUCTURE_DOWN) else Kind.BROKEN


@dataclass(frozen=True, slots=True)
class Wait:
    """As Retry, but nothing was tried: no attempt is counted, and it waits for as long as it takes."""

    at: datetime


INFRASTRUCTURE = Backoff(base=0.5, ceiling=5)


def _of_steps() -> dict[QueueName, RetryPolicy]:
    """The policy of each queue that orders pass through. Raises ValueError for a queue with two."""
    policies: dict[QueueName, RetryPolicy] = {}
    for step, spec in STEPS.items():
        if policies.setdefault(QueueName(step.queue), spec.retry) != spec.retry:
            raise ValueError(f"{step}: the steps of the queue {step.queue} share one retry policy")
    return policies


POLICIES: dict[QueueName, RetryPolicy] = {
    **_of_steps(),
    # For a full disk, or no processor for half an hour, until somebody makes room.
    QueueName.MEDIA: RetryPolicy(base=5, ceiling=600, failures=60, deadline=timedelta(hours=24)),
    # Of PDFs and printouts. No provider is called: what fails three times will fail again.
    QueueName.DOCUMENTS: RetryPolicy(base=60, ceiling=240, failures=3, deadline=timedelta(hours=24)),
}


def decide(
    policy: RetryPolicy, error: BaseException, failures: int, since: datetime | None = None
) -> Retry | Wait | GiveUp:
    """What to do after so many failures in a row, at a step to which the order came at `since`."""
    match kind_of(error):
        case Kind.BROKEN:
            return GiveUp("it would fail again")
        case Kind.INFRASTRUCTURE:
            return Wait(timezone.now() + INFRASTRUCTURE.draw(failures))
    named = error.retry_after if isinstance(error, Transient) and error.retry_after else 0.0
    return policy.next(failures, since, named)


def schedule() -> list[str]:
    """The policies as a table for people, a line each."""
    lines = [
        f"{'queue':<10} {'longest wait after failure 1, 2, 3 … (s)':<46} {'failures':>8} {'deadline':>9}"
    ]
    for queue, policy in POLICIES.items():
        waits: list[str] = []
        for failures in range(1, 12):
            waits.append(f"{policy.longest(failures):g}")
            if policy.longest(failures) == policy.ceiling:
                break
        hours = policy.deadline.total_seconds() / 3_600
        lines.append(f"{queue.value:<10} {' '.join(waits) + ' …':<46} {policy.failures:>8} {hours:>7g} h")
    return [
        *lines,
        "A wait is drawn evenly from 0 to the longest, after any time that the provider named (Retry-After).",
        "Our own database or broker down: waited for without counting. Refused, or a bug: given up at once.",
        "The queues bulk and audit have no policy: their tasks are begun again by the clock, or by a person.",
    ]
