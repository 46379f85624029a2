"""The retry policies: what waits how long, what is given up, and what a provider's own word changes."""

from datetime import timedelta

from django.utils import timezone
from hypothesis import given
from hypothesis import strategies as st

from orders.outside.failures import Failure, Refused, Transient
from workers.queues import QueueName
from workers.retry import POLICIES, GiveUp, Retry

QUEUES = st.sampled_from(sorted(POLICIES))


@given(QUEUES, st.integers(1, 1_000))
def test_a_retry_waits_no_longer_than_its_ceiling(queue: QueueName, attempt: int) -> None:
    policy = POLICIES[queue]
    before = timezone.now()
    decision = policy.decide(Failure(1, Transient("away"), attempt))
    if attempt >= policy.attempts:
        assert isinstance(decision, GiveUp)
    else:
        assert isinstance(decision, Retry)
        assert before <= decision.at <= timezone.now() + timedelta(seconds=policy.ceiling)


@given(QUEUES)
def test_what_is_refused_is_given_up_at_once(queue: QueueName) -> None:
    assert isinstance(POLICIES[queue].decide(Failure(1, Refused("no such card"), 1)), GiveUp)


@given(QUEUES, st.floats(0.1, 3_600))
def test_a_provider_is_not_asked_before_the_time_it_named(queue: QueueName, seconds: float) -> None:
    before = timezone.now()
    decision = POLICIES[queue].decide(Failure(1, Transient("busy", retry_after=seconds), 1))
    assert isinstance(decision, Retry)
    assert decision.at >= before + timedelta(seconds=seconds) - timedelta(microseconds=1)


def test_the_schedule_grows_to_its_ceiling() -> None:
    longest = [POLICIES[QueueName.PAYMENT].longest(attempt) for attempt in range(1, 13)]
    assert longest == [1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 600, 600]
