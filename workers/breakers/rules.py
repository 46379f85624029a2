"""How a breaker moves: opened by failures in a row, tried again ever later, closed by a trickle. No database here.

closed     --FAILURES_IN_A_ROW, no answer between--> open
open       --its next trial has come--> half open, one order may pass
half open  --an answer--> more may pass (TRICKLE), and after the last stage: closed
half open  --no answer--> open, the next trial later
"""

from dataclasses import dataclass
from datetime import datetime, timedelta

from workers.models import Breaker

State = Breaker.State

FAILURES_IN_A_ROW = 5
# Of one order's failures only the first ones count: an order that fails for reasons of its own shuts no door.
COUNTED_ATTEMPTS = 3
# How many orders may pass at each stage of closing again.
TRICKLE = (1, 10, 100)
# Seconds from the n-th failed trial to the next. The last is what a provider's return may go unnoticed.
TRIAL_WAITS = (1, 2, 4, 8, 15)
# A provider may name a longer time (Retry-After), up to this.
LONGEST_NAMED = timedelta(minutes=5)
# A stage that nothing came of after so long is begun again: whoever went through died on the way, or nobody came.
PATIENCE = timedelta(seconds=30)
# A parked order is woken when the door opens; so often it looks for itself, and whether it has waited for too long.
PARKING = timedelta(minutes=15)


@dataclass(frozen=True, slots=True)
class Verdict:
    """What came of asking a provider: how many orders had an answer of any kind, and how many failed because it is
    away. `named` is the longest time in seconds that it asked for."""

    answered: int
    away: int
    counted: int = 0
    error: str = ""
    named: float = 0.0


def judge(breaker: Breaker, verdict: Verdict, now: datetime) -> bool:
    """Move the breaker by what came of this turn's calls; returns whether it changed at all."""
    if verdict.away:
        breaker.last_error = verdict.error[:300]
    if breaker.state == State.HALF_OPEN:
        return _judge_trial(breaker, verdict, now)
    if breaker.state == State.OPEN:
        return False
    if verdict.answered:
        changed = breaker.failures > 0
        breaker.failures = 0
        return changed
    breaker.failures += verdict.counted
    if breaker.failures >= FAILURES_IN_A_ROW:
        breaker.failed_trials = 0
        breaker.times_opened += 1
        breaker.since = now
        _open(breaker, verdict, now)
    return verdict.away > 0


def _judge_trial(breaker: Breaker, verdict: Verdict, now: datetime) -> bool:
    if verdict.answered and verdict.answered >= verdict.away:
        _new_generation(breaker)
        if breaker.stage + 1 < len(TRICKLE):
            _begin_stage(breaker, breaker.stage + 1, now)
        else:
            breaker.state, breaker.since = State.CLOSED, now
            breaker.failures = breaker.failed_trials = breaker.stage = breaker.permits = breaker.to_wake = 0
            breaker.next_trial_at = None
        return True
    if verdict.away:
        breaker.failures += verdict.away
        breaker.failed_trials += 1
        _open(breaker, verdict, now)
        return True
    return False


def try_again(breaker: Breaker, now: datetime) -> bool:
    """Let the first few through when their time has come; returns whether anything changed."""
    if breaker.state == State.CLOSED or breaker.next_trial_at is None or breaker.next_trial_at > now:
        return False
    _new_generation(breaker)
    # Begun again, it begins at the beginning: whatever held up the stage may hold up all of it.
    breaker.state = State.HALF_OPEN
    _begin_stage(breaker, 0, now)
    return True


def _open(breaker: Breaker, verdict: Verdict, now: datetime) -> None:
    _new_generation(breaker)
    breaker.state = State.OPEN
    breaker.stage = breaker.permits = breaker.to_wake = 0
    wait = timedelta(seconds=TRIAL_WAITS[min(breaker.failed_trials, len(TRIAL_WAITS) - 1)])
    named = timedelta(seconds=min(verdict.named, LONGEST_NAMED.total_seconds()))
    breaker.next_trial_at = now + max(wait, named)
    renew_parking(breaker, now)


def _begin_stage(breaker: Breaker, stage: int, now: datetime) -> None:
    breaker.stage = stage
    breaker.permits = breaker.to_wake = TRICKLE[stage]
    breaker.next_trial_at = now + PATIENCE


def renew_parking(breaker: Breaker, now: datetime) -> bool:
    """Name the next time at which the parked look for themselves, when the last is upon them; whether it changed."""
    known = breaker.parked_until
    if known and known > now + timedelta(seconds=1):
        return False
    breaker.parked_until = now + PARKING
    return True


def _new_generation(breaker: Breaker) -> None:
    breaker.generation += 1
