"""A breaker as a step meets it: which orders are let through, and what came of them.

A step asks `admit` before its work and calls `report` after it. While the breaker is closed, that is one row read for a
batch and nothing written.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import LiteralString

from django.db import transaction
from django.utils import timezone

from orders import scheduling, sql
from orders.providers.failures import Failure, NotNow, Outcome, Transient
from orders.states import Provider
from orders.workflow import STEPS, Step
from workers.breakers.rules import COUNTED_ATTEMPTS, State, Verdict, judge
from workers.models import Breaker

# The state of a breaker, what time it is, and whether the next answer is to be noted.
_LOOK: LiteralString = """
SELECT state, generation, failures, clock_timestamp(), answered_at IS NULL FROM workers_breaker
WHERE provider = %(provider)s
"""
# A call takes long: the next answer to anybody is to be noted.
_DOUBT: LiteralString = """
UPDATE workers_breaker SET answered_at = NULL WHERE provider = %(provider)s AND answered_at IS NOT NULL
"""
# The provider has answered somebody.
_ANSWERED: LiteralString = """
UPDATE workers_breaker SET answered_at = clock_timestamp() WHERE provider = %(provider)s AND answered_at IS NULL
"""
# Take what is left of a half-open breaker's permits, as many as wanted.
_TAKE_PERMITS: LiteralString = """
WITH held AS (
    SELECT provider, least(permits, %(wanted)s) AS taken FROM workers_breaker
    WHERE provider = %(provider)s AND state = 'half_open' AND permits > 0 FOR NO KEY UPDATE
)
UPDATE workers_breaker b SET permits = b.permits - held.taken FROM held WHERE b.provider = held.provider
RETURNING held.taken, b.generation
"""
# Until when its orders are parked. The share lock keeps the breaker as it is until they are: closing it wakes them all.
_PARKED_UNTIL: LiteralString = """
SELECT CASE state WHEN 'closed' THEN now() ELSE parked_until END FROM workers_breaker
WHERE provider = %(provider)s FOR SHARE
"""
# The open breakers.
_OPEN: LiteralString = "SELECT provider FROM workers_breaker WHERE state = 'open'"


@dataclass(frozen=True, slots=True)
class Admission:
    """Which orders are let through and which are held back, decided in which generation of the breaker."""

    let_through: list[int]
    held_back: list[int]
    provider: Provider | None = None
    state: State = State.CLOSED
    generation: int = 0
    failures: int = 0
    at: datetime | None = None  # by the database's clock
    in_doubt: bool = False


@dataclass(frozen=True, slots=True)
class Report:
    """After the work: whether orders are to be parked now, and whether the breaker had opened before our calls failed,
    so that they do not count."""

    away: bool = False
    uncounted: bool = False


def admit(step: Step, ids: Sequence[int]) -> Admission:
    """Which orders of the batch are let through: all of them, if the step calls no provider."""
    provider = STEPS[step].provider
    if provider is None:
        return Admission(list(ids), [])
    found = sql.rows(_LOOK, {"provider": provider.value})
    if not found:
        return Admission(list(ids), [], provider)
    [(state, generation, failures, at, in_doubt)] = found
    if state == State.CLOSED:
        return Admission(list(ids), [], provider, State.CLOSED, generation, failures, at, in_doubt)
    taken = 0
    if state == State.HALF_OPEN:
        permits = sql.rows(_TAKE_PERMITS, {"provider": provider.value, "wanted": len(ids)})
        taken, generation = permits[0] if permits else (0, generation)
    return Admission(list(ids[:taken]), list(ids[taken:]), provider, State(state), generation, failures, at)


def is_away(failure: Failure) -> bool:
    """Whether the failure speaks of the provider, and not of the order."""
    return isinstance(failure.error, Transient) and not isinstance(failure.error, NotNow)


def report(admission: Admission, outcome: Outcome) -> Report:
    """Note in the breaker what came of the calls for the orders that were let through."""
    away = [failure for failure in outcome.failed if is_away(failure)]
    answered = len(admission.let_through) - len(away) - len(outcome.untried)
    if admission.provider and answered and admission.in_doubt:
        sql.count(_ANSWERED, {"provider": admission.provider.value})
    calm = admission.state == State.CLOSED and not admission.failures
    if admission.provider is None or not admission.let_through or (calm and not away):
        return Report()
    verdict = Verdict(
        answered=answered,
        away=len(away),
        counted=sum(failure.attempt <= COUNTED_ATTEMPTS for failure in away),
        error=str(away[-1].error) if away else "",
        named=max((_named(failure) for failure in away), default=0.0),
    )
    now = timezone.now()
    with transaction.atomic():
        breaker = _locked(admission.provider)
        if admission.at and breaker.answered_at and breaker.answered_at > admission.at:
            verdict = replace(verdict, counted=0)  # who answers others while our calls wait is not away
        was_open = breaker.state != State.CLOSED
        if breaker.generation == admission.generation and judge(breaker, verdict, now):
            breaker.save()
        return Report(away=breaker.state != State.CLOSED, uncounted=was_open)


def doubt(provider: Provider) -> None:
    """A call takes long. If others are answered meanwhile, it says nothing about the provider."""
    sql.count(_DOUBT, {"provider": provider.value})


def park(provider: Provider, ids: Collection[int]) -> None:
    """Park the orders until the provider is back; they are due at once if it is back by now."""
    with transaction.atomic():
        for (until,) in sql.rows(_PARKED_UNTIL, {"provider": provider.value}):
            scheduling.park(ids, until)


def open_breakers() -> set[Provider]:
    """The providers that no order is let through to at this moment."""
    return {Provider(provider) for (provider,) in sql.rows(_OPEN, {})}


def _locked(provider: Provider) -> Breaker:
    Breaker.objects.bulk_create([Breaker(provider=provider)], ignore_conflicts=True)
    return Breaker.objects.select_for_update(no_key=True).get(pk=provider)


def _named(failure: Failure) -> float:
    return failure.error.retry_after or 0.0 if isinstance(failure.error, Transient) else 0.0
