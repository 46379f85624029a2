"""Circuit breakers: while a provider is away its orders are parked, not tried, and no attempt of theirs is counted.

The row of a provider (workers.models.Breaker) is shared by all workers and outlives them and the broker. Breakers to be
had (pybreaker, circuitbreaker, purgatory) guard one call in one process, or share a count through Redis, and raise;
what is wanted here is about rows: whole batches that are parked in PostgreSQL, woken by a trickle, and all of it known
after the broker was wiped. So the rules are ours (`rules`), met at the step (`gate`) and at the relay (`trickle`).

A provider is away when it does not connect, answer in time or answer better than 5xx or 429. What it says of one order
(orders.providers.failures.NotNow, Refused, a declined card) is an answer.
"""

from workers.breakers.admission import (
    PROVIDER_OF,
    Admission,
    Report,
    admit,
    is_away,
    park,
    report,
    shut,
)
from workers.breakers.recovery import lose, turn
from workers.breakers.status import BreakerStatus, parked_for, statuses

__all__ = [
    "PROVIDER_OF",
    "Admission",
    "BreakerStatus",
    "Report",
    "admit",
    "is_away",
    "lose",
    "park",
    "parked_for",
    "report",
    "shut",
    "statuses",
    "turn",
]
