"""How a breaker moves, without a database: what opens it, how it is probed, and what closes it."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from workers.breakers.rules import (
    FAILURES_IN_A_ROW,
    LONGEST_NAMED,
    PARKING,
    PATIENCE,
    PROBE_WAITS,
    RECOVERY_STAGES,
    State,
    Verdict,
    judge,
    probe,
    renew_parking,
)
from workers.models import Breaker

NOW = datetime(2026, 11, 1, tzinfo=UTC)


def fresh() -> Breaker:
    return Breaker(
        provider="payments", state=State.CLOSED, generation=0, failures=0, stage=0, permits=0, to_wake=0
    )


def opened(now: datetime = NOW, **verdict: float) -> Breaker:
    breaker = fresh()
    breaker.failed_probes = breaker.times_opened = 0
    assert judge(breaker, failing(FAILURES_IN_A_ROW, **verdict), now)
    assert breaker.state == State.OPEN
    return breaker


def failing(orders: int, *, named: float = 0.0) -> Verdict:
    return Verdict(answered=0, away=orders, counted=orders, error="connection refused", named=named)


def answered(orders: int = 1) -> Verdict:
    return Verdict(answered=orders, away=0)


def test_failures_in_a_row_open_it_and_an_answer_between_does_not() -> None:
    breaker = fresh()
    for _ in range(FAILURES_IN_A_ROW - 1):
        judge(breaker, failing(1), NOW)
    judge(breaker, answered(), NOW)
    for _ in range(FAILURES_IN_A_ROW - 1):
        judge(breaker, failing(1), NOW)
    assert breaker.state == State.CLOSED


def test_a_provider_that_answers_some_is_not_away() -> None:
    breaker = fresh()
    for _ in range(20):
        judge(breaker, Verdict(answered=10, away=90, counted=90), NOW)
    assert breaker.state == State.CLOSED


def test_one_order_with_a_trouble_of_its_own_does_not_open_it() -> None:
    """Its first failures count, and then no more."""
    breaker = fresh()
    for attempt in range(1, 100):
        judge(breaker, Verdict(answered=0, away=1, counted=int(attempt <= 3)), NOW)
    assert breaker.state == State.CLOSED


def test_it_is_tried_ever_later_but_never_later_than_the_last_wait() -> None:
    breaker, now, waits = opened(), NOW, []
    for _ in range(len(PROBE_WAITS) + 2):
        assert breaker.next_probe_at
        waits.append((breaker.next_probe_at - now).total_seconds())
        now = breaker.next_probe_at
        assert probe(breaker, now)
        assert judge(breaker, failing(1), now)
    assert waits == [*PROBE_WAITS, PROBE_WAITS[-1], PROBE_WAITS[-1]]


def test_it_closes_by_a_trickle() -> None:
    breaker, permits = opened(), []
    assert not probe(breaker, NOW)  # its time has not come
    assert probe(breaker, NOW + timedelta(seconds=PROBE_WAITS[0]))
    while breaker.state != State.CLOSED:
        permits.append(breaker.permits)
        assert breaker.to_wake == breaker.permits
        judge(breaker, answered(), NOW)
    assert tuple(permits) == RECOVERY_STAGES
    assert breaker.next_probe_at is None
    assert breaker.parked_until  # for the relay, which wakes them all


def test_a_failure_during_the_trickle_shuts_it_again() -> None:
    breaker = opened()
    probe(breaker, NOW + timedelta(minutes=1))
    judge(breaker, answered(), NOW)
    judge(breaker, failing(3), NOW)
    assert (breaker.state, breaker.permits, breaker.to_wake) == (State.OPEN, 0, 0)


def test_a_probe_without_a_result_is_begun_again() -> None:
    breaker = opened()
    probe(breaker, NOW + timedelta(minutes=1))
    breaker.permits = breaker.to_wake = 0  # somebody took it, and died
    assert not probe(breaker, NOW + timedelta(minutes=1) + PATIENCE / 2)
    assert probe(breaker, NOW + timedelta(minutes=1) + PATIENCE)
    assert breaker.permits == breaker.to_wake == RECOVERY_STAGES[0]


@given(st.floats(0, 1e9))
def test_a_provider_may_name_its_time_within_bounds(seconds: float) -> None:
    breaker = opened(named=seconds)
    assert breaker.next_probe_at
    wait = breaker.next_probe_at - NOW
    assert wait >= timedelta(seconds=min(seconds, LONGEST_NAMED.total_seconds()))
    assert wait <= max(LONGEST_NAMED, timedelta(seconds=PROBE_WAITS[0]))


@pytest.mark.parametrize("state", [State.OPEN, State.HALF_OPEN])
def test_all_who_are_parked_have_the_same_time_until_it_is_upon_them(state: str) -> None:
    breaker = opened()
    breaker.state = state
    first = breaker.parked_until
    assert first == NOW + PARKING
    assert not renew_parking(breaker, first - timedelta(minutes=1))
    assert renew_parking(breaker, first)
    assert breaker.parked_until == first + PARKING


class Breakers(RuleBasedStateMachine):
    """Whatever comes of the calls, and whenever: the columns agree with each other."""

    @initialize()
    def begin(self) -> None:
        self.breaker = fresh()
        self.breaker.failed_probes = self.breaker.times_opened = 0
        self.now, self.generation = NOW, 0

    @rule(orders=st.integers(1, 100), named=st.floats(0, 1e6))
    def fail(self, orders: int, named: float) -> None:
        judge(self.breaker, failing(orders, named=named), self.now)

    @rule(answers=st.integers(0, 100), away=st.integers(0, 100))
    def ask(self, answers: int, away: int) -> None:
        judge(self.breaker, Verdict(answers, away, counted=away, error="502"), self.now)

    @rule(seconds=st.floats(0, 3_600))
    def wait(self, seconds: float) -> None:
        self.now += timedelta(seconds=seconds)
        if self.breaker.state != State.CLOSED:
            probe(self.breaker, self.now)
            renew_parking(self.breaker, self.now)

    @invariant()
    def holds(self) -> None:
        breaker = self.breaker
        assert breaker.generation >= self.generation
        self.generation = breaker.generation
        assert (breaker.permits > 0) <= (breaker.state == State.HALF_OPEN)
        assert (breaker.next_probe_at is None) == (breaker.state == State.CLOSED)
        if breaker.next_probe_at:
            assert breaker.next_probe_at <= self.now + LONGEST_NAMED
            assert breaker.parked_until
        if breaker.state == State.CLOSED:
            assert breaker.failures < FAILURES_IN_A_ROW


TestBreakers = Breakers.TestCase
