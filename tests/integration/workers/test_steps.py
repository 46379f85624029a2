"""Around each step: who goes on, who comes back later, who is given up; and one bad order never fails the others."""

from typing import Any

import pytest
from celery import Task
from django.db import OperationalError
from django.utils import timezone

from orders.models import Notification, Order
from orders.providers.failures import Failure, Outcome, Refused, Transient
from orders.workflow import Step
from tests.making import kinds, place_order
from workers import deadletters
from workers.models import DeadLetter
from workers.steps import describe, perform
from workers.tasks import STEP_TASKS

reserve = STEP_TASKS[Step.RESERVE]
send_email = STEP_TASKS[Step.EMAIL]

pytestmark = pytest.mark.django_db(transaction=True)


class Bug(Exception):
    pass


@pytest.fixture
def task() -> Task[Any, Any]:
    return reserve


def test_who_is_done_goes_on_and_who_failed_comes_back_alone(task: Task[Any, Any]) -> None:
    good, later = place_order(), place_order()
    outcome = Outcome([good.pk], [Failure(later.pk, Transient("busy", retry_after=5), 1)])
    assert perform(task, Step.CHARGE, lambda _: outcome, [good.pk, later.pk]) == [good.pk]
    later.refresh_from_db()
    assert later.alone
    assert later.due_at is not None
    assert later.due_at > timezone.now()


def test_what_is_refused_becomes_a_dead_letter_and_the_order_stops(task: Task[Any, Any]) -> None:
    order = place_order()
    refused = Outcome([], [Failure(order.pk, Refused("carrier: 400 no such street"), 1)])
    perform(task, Step.SHIP, lambda _: refused, [order.pk])
    letter = DeadLetter.objects.get()
    assert (letter.order, letter.task, letter.message) == (
        order,
        "shipping.book",
        "carrier: 400 no such street",
    )
    order.refresh_from_db()
    assert order.due_at is None
    assert kinds(order)[-1] == "order.dead_lettered"


def test_a_side_dish_never_spoils_the_meal(task: Task[Any, Any]) -> None:
    order = place_order()
    order.notifications.create(channel="email", kind="confirmation")
    perform(
        task,
        Step.EMAIL,
        lambda _: Outcome([], [Failure(order.pk, Refused("550 no such user"), 1)]),
        [order.pk],
    )
    order.refresh_from_db()
    assert order.due_at is not None
    assert Notification.objects.get().status == Notification.Status.FAILED
    assert not DeadLetter.objects.get().stops_order


def broken(ids: object) -> list[int]:
    raise Bug("boom")


def test_a_batch_that_breaks_is_taken_apart(task: Task[Any, Any]) -> None:
    orders = [place_order(), place_order()]
    assert perform(task, Step.RESERVE, broken, [order.pk for order in orders]) == []
    assert Order.objects.filter(alone=True).count() == 2
    assert not DeadLetter.objects.exists()


def test_one_that_breaks_by_itself_is_a_dead_letter_with_its_traceback(task: Task[Any, Any]) -> None:
    order = place_order()
    perform(task, Step.RESERVE, broken, [order.pk])
    letter = DeadLetter.objects.get()
    assert letter.message == "boom"
    assert "in broken" in letter.traceback


def test_our_own_database_down_burns_nothing(task: Task[Any, Any]) -> None:
    order = place_order()

    def away(ids: object) -> list[int]:
        raise OperationalError("the database is restarting")

    with pytest.raises(OperationalError):
        perform(task, Step.RESERVE, away, [order.pk])
    assert not DeadLetter.objects.exists()


def test_the_same_failure_has_the_same_fingerprint(task: Task[Any, Any]) -> None:
    for _ in range(2):
        perform(task, Step.RESERVE, broken, [place_order().pk])
    assert DeadLetter.objects.values("fingerprint").distinct().count() == 1


def test_replaying_drives_the_order_again_and_twice_is_once(task: Task[Any, Any]) -> None:
    order = place_order()
    perform(task, Step.RESERVE, broken, [order.pk])
    assert deadletters.replay(DeadLetter.objects.all(), "ada") == 1
    assert deadletters.replay(DeadLetter.objects.all(), "ada") == 0
    order.refresh_from_db()
    assert order.due_at is not None
    assert kinds(order).count("order.replayed") == 1


def test_a_replayed_message_is_sent_after_all() -> None:
    order = place_order()
    order.notifications.create(channel="email", kind="confirmation", status="requested")
    perform(send_email, Step.EMAIL, lambda _: Outcome([], [Failure(order.pk, Refused("550"), 1)]), [order.pk])
    deadletters.replay(DeadLetter.objects.all(), "ada")
    assert Notification.objects.get().status == Notification.Status.REQUESTED


@pytest.mark.parametrize(
    ("ids", "shown"),
    [
        ([17], "S-100017"),
        (list(range(1, 41)), "S-100001, S-100002, S-100003, S-100004, S-100005 … (40 orders)"),
    ],
)
def test_people_see_order_numbers(ids: list[int], shown: str) -> None:
    assert describe(ids) == shown
