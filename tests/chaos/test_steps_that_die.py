"""A step may die at any of its crash points: what is left is done by the next drive, and nothing is done twice.

The process that dies is a real one; the next drive is what the relay would ring. The providers' ledgers and the audit
are the witnesses.
"""

from collections import Counter

import pytest
from pytest_django import Settings

from orders.cancelling import NotCancellable, cancel
from orders.crashpoints import Point
from orders.facts import facts_of
from orders.models import InvoiceCounter, Notification, Order, Shipment
from orders.states import OrderStatus
from orders.workflow import SIDE_BY_SIDE, Step, remaining
from orders.workflow import STEPS as STEP_SPECS
from tests.chaos.conftest import Dies
from tests.integration.audit.conftest import ledger_ends
from tests.making import ledger, place_order, stock
from workers.audit.books import prove
from workers.audit.ledgers import Positions
from workers.celery import app

pytestmark = pytest.mark.django_db(transaction=True)

STEPS = {
    "reserve": Step.RESERVE,
    "charge": Step.CHARGE,
    "email": Step.EMAIL,
    "sms": Step.SMS,
    "invoice": Step.INVOICE,
    "ship": Step.SHIP,
    "complete": Step.COMPLETE,
    "release": Step.RELEASE,
    "refund": Step.REFUND,
    "close": Step.CLOSE,
}
# Those of an order that is cancelled after it was paid.
CLEARING_UP = (Step.RELEASE, Step.REFUND, Step.CLOSE)
POINTS = [point for point in Point if point.value.partition(".")[0] in STEPS]


@pytest.fixture
def since(transactional_db: None, settings: Settings) -> Positions:
    """A stocked shop; where the ledgers end before anything is done."""
    InvoiceCounter.objects.get_or_create()  # a migration made it; the end of a transactional test removes it
    stock(KETTLE=10)
    return ledger_ends()


def do(step: Step, order: Order) -> None:
    """The step as a worker does it, in this process."""
    app.loader.import_default_modules()
    app.tasks[step.value].apply(args=([order.pk],), throw=True)


def left(order: Order) -> list[Step]:
    [facts] = facts_of([order.pk])
    return [step for part in remaining(facts) for step in (part if isinstance(part, tuple) else (part,))]


def ready_for(step: Step) -> Order:
    """An order whose next step this is."""
    order = place_order()
    if step in CLEARING_UP:
        do(Step.RESERVE, order)
        do(Step.CHARGE, order)
        cancel(order.token)
    while (steps := left(order)) and step in steps and not (step is steps[0] or _beside(step, steps)):
        do(steps[0], order)
    assert step in left(order)
    return order


def _beside(step: Step, steps: list[Step]) -> bool:
    return step in SIDE_BY_SIDE and steps[0] in SIDE_BY_SIDE


def drive(order: Order) -> None:
    """What the relay rings for an order until there is nothing left."""
    for _ in range(5):
        for step in left(order):
            do(step, order)
        order.refresh_from_db()
        if order.ended_at:
            return
    pytest.fail(f"{order} is {order.status}, and {left(order)} is left")


def done_outside(order: Order) -> dict[str, Counter[str]]:
    """What each provider did for the order, and how often."""
    return {
        provider: Counter(entry["kind"] for entry in ledger(provider) if entry["order"] == order.number)
        for provider in ("payments", "carrier", "sms", "mailbox")
    }


@pytest.mark.parametrize("point", POINTS, ids=lambda point: point.value)
def test_a_step_that_dies_is_finished_by_the_next_drive(point: Point, since: Positions, dies: Dies) -> None:
    step = STEPS[point.value.partition(".")[0]]
    order = ready_for(step)
    dies(point, f"from workers.celery import app\napp.tasks['{step.value}'].apply(args=([{order.pk}],))")
    drive(order)
    cancelled = step in CLEARING_UP
    assert order.status == (OrderStatus.CANCELLED if cancelled else OrderStatus.COMPLETED)
    outside = done_outside(order)
    assert outside["payments"]["captured"] == 1
    assert outside["payments"]["refunded"] == (1 if cancelled else 0)
    assert [outside[provider].total() for provider in ("carrier", "sms", "mailbox")] == [not cancelled, 1, 1]
    report = prove(since=since)
    assert report.clean, report.as_dict()


@pytest.mark.parametrize("point", [Point.EMAIL_AFTER_CALL, Point.SMS_AFTER_CALL, Point.SHIP_AFTER_CALL])
def test_what_may_have_been_done_outside_stands_in_our_books(
    point: Point, since: Positions, dies: Dies
) -> None:
    """The row is committed before the call. Without it nobody would know, and a parcel's order could be cancelled."""
    step = STEPS[point.value.partition(".")[0]]
    order = ready_for(step)
    dies(point, f"from workers.celery import app\napp.tasks['{step.value}'].apply(args=([{order.pk}],))")
    if step is Step.SHIP:
        assert Shipment.objects.get(order=order).status == Shipment.Status.REQUESTED
        with pytest.raises(NotCancellable):
            cancel(order.token)
    else:
        message = Notification.objects.get(order=order, channel=STEP_SPECS[step].channel)
        assert message.status == Notification.Status.REQUESTED
