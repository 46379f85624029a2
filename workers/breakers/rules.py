"""How a breaker changes its state. No database here.

closed     --FAILURES_IN_A_ROW, no answer between--> open
open       --its next probe is due--> half open, one order is let through
half open  --an answer--> more are let through (RECOVERY_STAGES), and after the last stage: closed
half open  --no answer--> open, the next probe later
"""

from dataclasses import dataclass
from datetime import datetime, timedelta

from workers.models import Breaker

State = Breaker.State

FAILURES_IN_A_ROW = 5
# Only the first failures of an order count: one that fails for reasons of its own must not open the breaker.
COUNTED_ATTEMPTS = 3
# How many orders are let through in each stage before it closes.
RECOVERY_STAGES = (1, 10, 100)
# Seconds from the n-th failed probe to the next. A provider's return may go unnoticed for as long as the last.
PROBE_WAITS = (1, 2, 4, 8, 15)
# A provider may name a longer time (Retry-After), up to this.
LONGEST_NAMED = timedelta(minutes=5)
# A stage without a result is begun again after so long: the orders let through died on the way, or there were none.
PATIENCE = timedelta(seconds=30)
# Parked orders are woken when the provider is back. So often each is due by itself, lest it wait for too long.
PARKING = timedelta(minutes=15)


@dataclass(frozen=True, slots=True)
class Verdict:
    """What came of a batch: how many orders had an answer of any kind, and for how many the provider was away.
    `counted` are those of the latter that count, `named` is the longest wait in seconds that the provider asked for."""

    answered: int
    away: int
    counted: int = 0
    error: str = ""
    named: float = 0.0


def judge(breaker: Breaker, verdict: Verdict, now: datetime) -> bool:
    """Change the breaker by what came of this generation's calls; returns whether it changed at all."""
    if verdict.away:
        breaker.last_error = verdict.error[:300]
    if breaker.state == State.HALF_OPEN:
        return _judge_probe(breaker, verdict, now)
    if breaker.state == State.OPEN:
        return False
    if verdict.answered:
        changed = breaker.failures > 0
        breaker.failures = 0
        return changed
    breaker.failures += verdict.counted
    if breaker.failures >= FAILURES_IN_A_ROW:
        breaker.failed_probes = 0
        breaker.times_opened += 1
        breaker.since = now
        _open(breaker, verdict, now)
    return verdict.away > 0


def _judge_probe(breaker: Breaker, verdict: Verdict, now: datetime) -> bool:
    if verdict.answered and verdict.answered >= verdict.away:
        breaker.generation += 1
        if breaker.stage + 1 < len(RECOVERY_STAGES):
            _begin_stage(breaker, breaker.stage + 1, now)
        else:
            breaker.state, breaker.since = State.CLOSED, now
            breaker.failures = breaker.failed_probes = breaker.stage = breaker.permits = breaker.to_wake = 0
            breaker.next_probe_at = None
        return True
    if verdict.away:
        breaker.failures += verdict.away
        breaker.failed_probes += 1
        _open(breaker, verdict, now)
        return True
    return False


def probe(breaker: Breaker, now: datetime) -> bool:
    """Let the first order through when its time has come; returns whether anything changed."""
    if breaker.state == State.CLOSED or breaker.next_probe_at is None or breaker.next_probe_at > now:
        return False
    breaker.generation += 1
    # Begun again, it begins with the first stage: what held up this stage may hold up any.
    breaker.state = State.HALF_OPEN
    _begin_stage(breaker, 0, now)
    return True


def _open(breaker: Breaker, verdict: Verdict, now: datetime) -> None:
    breaker.generation += 1
    breaker.state = State.OPEN
    breaker.stage = breaker.permits = breaker.to_wake = 0
    wait = timedelta(seconds=PROBE_WAITS[min(breaker.failed_probes, len(PROBE_WAITS) - 1)])
    named = timedelta(seconds=min(verdict.named, LONGEST_NAMED.total_seconds()))
    breaker.next_probe_at = now + max(wait, named)
    renew_parking(breaker, now)


def _begin_stage(breaker: Breaker, stage: int, now: datetime) -> None:
    breaker.stage = stage
    breaker.permits = breaker.to_wake = RECOVERY_STAGES[stage]
    breaker.next_probe_at = now + PATIENCE


def renew_parking(breaker: Breaker, now: datetime) -> bool:
    """Set the next time at which parked orders are due by themselves, when the last has come; whether it changed."""
    known = breaker.parked_until
    if known and known > now + timedelta(seconds=1):
        return False
    breaker.parked_until = now + PARKING
    return True
