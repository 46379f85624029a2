"""The retry policies: what waits how long, what is given up, and what a provider's own word changes."""

import re
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest
from django.core.management import call_command
from django.db import IntegrityError, OperationalError
from django.utils import timezone
from hypothesis import given
from hypothesis import strategies as st
from kombu.exceptions import OperationalError as BrokerError
from redis.exceptions import ConnectionError as RedisAway

from orders.providers.failures import NotNow, Refused, Transient
from orders.providers.http import _seconds
from orders.retry import GiveUp, Retry
from orders.workflow import STEPS
from workers.queues import ORDER_QUEUES, QueueName
from workers.retry import INFRASTRUCTURE, POLICIES, Wait, decide

QUEUES = st.sampled_from(sorted(POLICIES))
PROVIDERS = st.sampled_from(sorted(set(POLICIES) - {QueueName.INVENTORY}))


def test_every_queue_whose_work_is_tried_again_has_a_policy() -> None:
    assert set(POLICIES) == {*ORDER_QUEUES, QueueName.MEDIA, QueueName.DOCUMENTS}


def test_the_steps_of_a_queue_share_its_policy() -> None:
    for step, spec in STEPS.items():
        assert POLICIES[QueueName(step.queue)] is spec.retry


@given(QUEUES, st.integers(1, 1_000))
def test_a_retry_waits_no_longer_than_its_ceiling(queue: QueueName, attempt: int) -> None:
    policy = POLICIES[queue]
    before = timezone.now()
    decision = decide(policy, Transient("away"), attempt)
    if attempt >= policy.failures:
        assert isinstance(decision, GiveUp)
    else:
        assert isinstance(decision, Retry)
        assert before <= decision.at <= timezone.now() + timedelta(seconds=policy.ceiling)


@given(QUEUES)
def test_the_wait_is_drawn_from_nothing_to_the_longest(queue: QueueName) -> None:
    """Full jitter: those who failed together do not come back together."""
    before = timezone.now()
    failures = min(5, POLICIES[queue].failures - 1)
    decisions = [decide(POLICIES[queue], Transient("away"), failures) for _ in range(200)]
    waits = [(decision.at - before).total_seconds() for decision in decisions if isinstance(decision, Retry)]
    longest = POLICIES[queue].longest(failures)
    assert min(waits) < longest / 4
    assert longest * 3 / 4 < max(waits) < longest + 1


@given(QUEUES)
def test_what_is_refused_or_a_bug_is_given_up_at_once(queue: QueueName) -> None:
    for error in (Refused("no such card"), ZeroDivisionError(), IntegrityError("twice")):
        assert isinstance(decide(POLICIES[queue], error, 1), GiveUp)


@given(QUEUES, st.integers(1, 1_000_000), st.timedeltas(timedelta(0), timedelta(days=900)))
def test_our_own_database_and_broker_are_waited_for_however_long_it_takes(
    queue: QueueName, attempt: int, waited: timedelta
) -> None:
    for error in (OperationalError("restarting"), BrokerError("away"), RedisAway("away")):
        decision = decide(POLICIES[queue], error, attempt, timezone.now() - waited)
        assert isinstance(decision, Wait)
        assert decision.at <= timezone.now() + timedelta(seconds=INFRASTRUCTURE.ceiling)


@given(QUEUES, st.timedeltas(timedelta(0), timedelta(days=900)))
def test_an_order_is_given_up_when_it_has_stood_there_for_too_long(
    queue: QueueName, waited: timedelta
) -> None:
    policy = POLICIES[queue]
    decision = decide(policy, Transient("away"), 1, timezone.now() - waited)
    assert isinstance(decision, GiveUp if waited >= policy.deadline else Retry)


@given(PROVIDERS, st.floats(0.1, 3_600))
def test_a_provider_is_not_asked_before_the_time_it_named(queue: QueueName, seconds: float) -> None:
    before = timezone.now()
    decision = decide(POLICIES[queue], Transient("busy", retry_after=seconds), 1)
    assert isinstance(decision, Retry)
    assert decision.at >= before + timedelta(seconds=seconds) - timedelta(microseconds=1)


@given(PROVIDERS, st.floats(3_600, 1e300))
def test_a_provider_cannot_park_an_order_for_a_year(queue: QueueName, seconds: float) -> None:
    decision = decide(POLICIES[queue], NotNow("busy", retry_after=seconds), 1)
    assert isinstance(decision, Retry)
    assert decision.at <= timezone.now() + timedelta(seconds=3_600 + POLICIES[queue].longest(1))


def test_the_schedule_grows_to_its_ceiling() -> None:
    longest = [POLICIES[QueueName.PAYMENT].longest(attempt) for attempt in range(1, 13)]
    assert longest == [1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 600, 600]


def test_the_schedule_can_be_read_at_a_glance(capsys: pytest.CaptureFixture[str]) -> None:
    call_command("retries")
    said = capsys.readouterr().out
    print(said)  # noqa: T201 (`pytest -s` shows it)
    lines = {line.split()[0]: re.sub(r" +", " ", line) for line in said.splitlines()}
    assert lines["payment"] == "payment 1 2 4 8 16 32 64 128 256 512 600 … 300 24 h"
    assert lines["email"] == "email 2 4 8 16 32 64 128 256 512 900 … 60 6 h"
    assert lines["sms"].endswith("30 3 h")


@pytest.mark.parametrize("header", [None, "", "soon", "-5", "٥"])
def test_a_retry_after_that_says_nothing_is_none(header: str | None) -> None:
    assert _seconds(header) is None


def test_retry_after_is_a_number_or_a_date() -> None:
    assert _seconds("120") == 120
    later = format_datetime(datetime.now(UTC) + timedelta(seconds=90), usegmt=True)
    assert 85 < (_seconds(later) or 0) <= 90
    assert _seconds("Wed, 21 Oct 2015 07:28:00 GMT") == 0
    assert _seconds("Wed, 21 Oct 2015 07:28:00 -0000") == 0
