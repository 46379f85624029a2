"""A worker process that dies, or is killed for hanging, is missed at once; the lease is for when nobody can say so."""

from datetime import timedelta
from typing import Any

import pytest
import redis
from celery.exceptions import TimeLimitExceeded, WorkerLostError
from django.db import OperationalError, connection
from django.utils import timezone

from orders.models import Order
from orders.scheduling import LEASE, claim
from orders.states import Provider
from orders.workflow import Step
from tests.making import place_order
from tests.servers import Servers
from tests.taking import take
from workers.adapters import worker_lost
from workers.adapters.unacked import take_over
from workers.breakers import recovery
from workers.models import Breaker, FailedAttempt
from workers.retry import INFRASTRUCTURE
from workers.steps import TIME_LIMIT, StepTask, perform
from workers.tasks import STEP_TASKS, render_documents

charge = STEP_TASKS[Step.CHARGE]
reserve = STEP_TASKS[Step.RESERVE]

pytestmark = pytest.mark.django_db(transaction=True)


def under_way(count: int = 3) -> list[int]:
    for _ in range(count):
        place_order()
    return [order.order_id for order in claim(100)]


def due_and_attempts() -> list[tuple[bool, int]]:
    """(whether it is due, attempts) of every order."""
    now = timezone.now()
    return [
        (order.due_at is not None and order.due_at <= now, order.attempts) for order in Order.objects.all()
    ]


def test_the_orders_of_a_lost_process_are_due_at_once_and_the_attempt_counts() -> None:
    ids = under_way()
    worker_lost.reschedule(sender=reserve, exception=WorkerLostError("signal 9"), args=[ids])
    assert connection.connection is None  # children that are forked now share none
    assert due_and_attempts() == [(True, 1)] * 3
    assert [order.attempts for order in claim(100)] == [2, 2, 2]


def test_who_hung_until_its_time_was_up_has_been_dispatched_again_already() -> None:
    """Dispatched twice at once it would be poison before its time."""
    ids = under_way()
    Order.objects.update(attempts=2)  # the lease ran out, and the message waits behind the process that hangs
    worker_lost.reschedule(sender=reserve, exception=TimeLimitExceeded(TIME_LIMIT), args=[ids])
    assert due_and_attempts() == [(False, 2)] * 3
    assert FailedAttempt.objects.count() == 3


def test_who_has_gone_on_without_the_process_is_left_alone() -> None:
    ids = under_way()
    later = timezone.now() + timedelta(hours=1)
    Order.objects.filter(pk=ids[0]).update(attempts=0, due_at=later)  # waits for its next try
    Order.objects.filter(pk=ids[1]).update(attempts=0, due_at=None)  # has ended
    worker_lost.reschedule(sender=reserve, exception=WorkerLostError(), args=[ids])
    due_at = dict(Order.objects.values_list("pk", "due_at"))
    assert (due_at[ids[0]], due_at[ids[1]]) == (later, None)


@pytest.mark.parametrize(
    ("sender", "error"), [(reserve, ValueError("a bug")), (render_documents, WorkerLostError("signal 9"))]
)
def test_other_failures_are_others_business(sender: Any, error: Exception) -> None:
    ids = under_way()
    worker_lost.reschedule(sender=sender, exception=error, args=[ids])
    assert due_and_attempts() == [(False, 1)] * 3


def probe_under_way() -> None:
    """Somebody has the only permit, and may keep it for as long as a probe may take."""
    Breaker.objects.update_or_create(
        provider=Provider.PAYMENTS,
        defaults={
            "state": Breaker.State.HALF_OPEN,
            "permits": 0,
            "next_probe_at": timezone.now() + timedelta(seconds=30),
        },
    )


def permits() -> int:
    """As the relay leaves them at its next look."""
    recovery.run_once()
    return Breaker.objects.get(provider=Provider.PAYMENTS).permits


def test_a_probe_that_died_with_its_process_is_begun_again_at_once() -> None:
    """Everybody who is parked would wait for it."""
    probe_under_way()
    worker_lost.reschedule(sender=charge, exception=WorkerLostError(), args=[under_way(1)])
    assert permits() == 1


def test_who_dies_over_something_else_had_no_probe_in_hand() -> None:
    probe_under_way()
    worker_lost.reschedule(sender=reserve, exception=WorkerLostError(), args=[under_way(1)])
    assert permits() == 0


def test_the_next_node_begins_the_probe_of_its_predecessor_again(broker: redis.Redis) -> None:
    probe_under_way()
    take(broker, "dead@here", "payment.charge", under_way(1))
    take_over("dead@here")
    assert permits() == 1


def test_without_a_database_the_lease_is_left(servers: Servers, caplog: pytest.LogCaptureFixture) -> None:
    ids = under_way()
    leases = sorted(Order.objects.values_list("due_at", "attempts"))
    connection.close()
    servers.kill("postgres")
    try:
        worker_lost.reschedule(sender=reserve, exception=WorkerLostError(), args=[ids])
    finally:
        servers.start("postgres")
    assert "wait for their leases" in caplog.text
    assert sorted(Order.objects.values_list("due_at", "attempts")) == leases


def test_no_step_may_hang_for_ever() -> None:
    """Yet longer than its lease: who is killed for it has been dispatched again, and must not be once more."""
    assert isinstance(reserve, StepTask)
    assert LEASE.total_seconds() < TIME_LIMIT == reserve.time_limit


def test_while_the_database_is_down_no_attempt_counts() -> None:
    """Three times a database that was away would otherwise make poison of an order that did nothing."""
    ids = under_way()

    def away(batch: object) -> list[int]:
        raise OperationalError("the database is restarting")

    with pytest.raises(OperationalError):
        perform(charge, Step.RESERVE, away, ids)
    for order in Order.objects.all():
        assert order.attempts == 0
        assert order.due_at
        assert order.due_at <= timezone.now() + timedelta(seconds=INFRASTRUCTURE.longest(1))


def test_orders_are_released_when_the_database_is_back(servers: Servers) -> None:
    ids = under_way()

    def killed(batch: object) -> list[int]:
        servers.kill("postgres")
        servers.start("postgres", wait=False)
        raise OperationalError("server closed the connection unexpectedly")

    with pytest.raises(OperationalError):
        perform(charge, Step.RESERVE, killed, ids)
    servers.wait_healthy("postgres")
    assert {order.attempts for order in Order.objects.all()} == {0}
