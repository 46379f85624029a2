"""3-D Secure: an order waits for its buyer for as long as its hold lasts, and not a piece of stock longer."""

from datetime import timedelta

import pytest
from django.utils import timezone

from orders import closing, inventory
from orders.cancelling import cancel
from orders.facts import facts_of
from orders.models import Order, Payment, StockItem
from orders.notifications import email, sms
from orders.payments import charging, refunding
from orders.states import OrderStatus
from orders.workflow import Step, remaining, steps
from tests.integration.orders.test_charging import captures, confirm
from tests.making import place_order, stock

pytestmark = pytest.mark.django_db(transaction=True)

WORK = {
    Step.CHARGE: charging.charge,
    Step.RELEASE: inventory.release,
    Step.REFUND: refunding.refund,
    Step.EMAIL: email.mail,
    Step.SMS: sms.text,
    Step.CLOSE: closing.close,
}


@pytest.fixture
def order() -> Order:
    """It holds two of ten kettles, and its buyer is asked by the bank."""
    stock(KETTLE=10)
    order = place_order((("KETTLE", 2),), card="pm_card_threeDSecure2Required")
    inventory.reserve([order.pk])
    charging.charge([order.pk])
    order.refresh_from_db()
    assert order.status == OrderStatus.AWAITING_PAYMENT
    return order


def run_out(order: Order) -> None:
    """The time of the hold is over."""
    Payment.objects.filter(order=order).update(hold_until=timezone.now() - timedelta(seconds=1))


def drive(order: Order) -> None:
    """What is left to do for it, step by step, until nothing is left or it waits for its buyer."""
    while (plan := steps(remaining(facts_of([order.pk])[0]))) and plan[0] in WORK:
        before = Order.objects.values("status", "ended_at").get(pk=order.pk)
        WORK[plan[0]]([order.pk])
        after = Order.objects.values("status", "ended_at").get(pk=order.pk)
        if after["ended_at"] or (plan[0] == Step.CHARGE and before == after):
            break
    order.refresh_from_db()


def test_it_has_a_page_to_go_to_and_an_end(order: Order) -> None:
    payment = Payment.objects.get(order=order)
    assert payment.action_url.startswith("http")
    assert payment.hold_until
    assert timedelta(0) < payment.hold_until - timezone.now() <= timedelta(minutes=30)
    assert StockItem.objects.get(sku="KETTLE").reserved == 2


def test_the_hold_is_not_longer_for_being_asked_about(order: Order) -> None:
    until = Payment.objects.get(order=order).hold_until
    for _ in range(2):
        charging.charge([order.pk])
    payment = Payment.objects.get(order=order)
    assert payment.hold_until == until
    assert payment.status == Payment.Status.REQUIRES_ACTION


def test_it_is_looked_at_when_the_hold_ends_at_the_latest(order: Order) -> None:
    soon = timezone.now() + timedelta(seconds=5)
    Payment.objects.filter(order=order).update(hold_until=soon)
    charging.charge([order.pk])
    order.refresh_from_db()
    assert order.due_at == soon
    assert order.attempts == 0


def test_a_hold_that_ran_out_gives_everything_back(order: Order) -> None:
    run_out(order)
    drive(order)
    assert order.status == OrderStatus.PAYMENT_DECLINED
    assert order.ended_at
    shelf = StockItem.objects.get(sku="KETTLE")
    assert (shelf.on_hand, shelf.reserved) == (10, 0)
    assert Payment.objects.get(order=order).status == Payment.Status.VOIDED
    assert order.notifications.filter(kind="payment_declined", status="sent").count() == 2
    assert captures(order) == []


def test_who_confirms_after_the_hold_ran_out_finds_the_charge_given_up(order: Order) -> None:
    page = Payment.objects.get(order=order).action_url
    run_out(order)
    charging.charge([order.pk])
    Payment.objects.filter(order=order).update(action_url=page)  # it is still open in the buyer's browser
    confirm(order, "complete")
    drive(order)
    assert order.status == OrderStatus.PAYMENT_DECLINED
    assert captures(order) == []


def test_who_confirmed_in_the_last_moment_has_paid(order: Order) -> None:
    """The hold ran out before anybody asked, and the buyer was quicker than that."""
    confirm(order, "complete")
    run_out(order)
    charging.charge([order.pk])
    order.refresh_from_db()
    assert order.status == OrderStatus.PAID
    assert captures(order) == [order.total_minor]


def test_a_cancelled_order_cannot_be_confirmed_any_more(order: Order) -> None:
    cancel(order.token)
    drive(order)
    confirm(order, "complete")
    assert order.status == OrderStatus.CANCELLED
    assert order.ended_at
    assert StockItem.objects.get(sku="KETTLE").on_hand == 10
    assert captures(order) == []


def test_a_confirmation_that_overtakes_the_cancellation_is_refunded(order: Order) -> None:
    confirm(order, "complete")
    cancel(order.token)
    drive(order)
    payment = Payment.objects.get(order=order)
    assert (payment.status, payment.refunded_minor) == (Payment.Status.REFUNDED, order.total_minor)
    assert order.ended_at
