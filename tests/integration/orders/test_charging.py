"""Charging, against the sandbox's provider: every card, twice the same step, and answers that never came."""

import http.client
from datetime import timedelta
from urllib.parse import urlsplit

import pytest
from django.utils import timezone

from orders import inventory
from orders.cancelling import cancel
from orders.facts import facts_of
from orders.models import Order, Payment
from orders.payments import charging, keys, refunding
from orders.providers.failures import Refused, Transient
from orders.states import OrderStatus
from tests.making import at_once, kinds, last_detail, ledger, place_order, stock
from tests.servers import Servers

pytestmark = pytest.mark.django_db(transaction=True)


def reserved(card: str = "pm_card_visa", count: int = 1) -> list[Order]:
    stock(KETTLE=1_000)
    orders = [place_order(card=card) for _ in range(count)]
    inventory.reserve([order.pk for order in orders])
    return orders


def captures(order: Order) -> list[int]:
    """The amounts that the provider's own ledger says it captured for this order."""
    return [
        entry["amount"]
        for entry in ledger("payments")
        if entry["kind"] == "captured" and entry["key"] == keys.key(order.payment.key, "charge")
    ]


def test_a_good_card_is_captured_once_however_often_the_step_runs() -> None:
    [order] = reserved()
    assert charging.charge([order.pk]).done == [order.pk]
    assert charging.charge([order.pk]).done == []
    order.refresh_from_db()
    assert order.status == OrderStatus.PAID
    assert captures(order) == [order.total_minor]


def test_two_workers_at_once_capture_once() -> None:
    [order] = reserved()
    at_once(lambda _: charging.charge([order.pk]), 6)
    order.refresh_from_db()
    assert order.status == OrderStatus.PAID
    assert captures(order) == [order.total_minor]
    assert kinds(order).count("order.paid") == 1


def test_a_declined_card_ends_the_order_with_its_reason() -> None:
    [order] = reserved("pm_card_chargeDeclined")
    assert charging.charge([order.pk]).done == []
    order.refresh_from_db()
    assert order.status == OrderStatus.PAYMENT_DECLINED
    assert last_detail(order)
    assert captures(order) == []


def test_a_card_the_provider_does_not_know_is_declined() -> None:
    [order] = reserved("pm_nonsense")
    charging.charge([order.pk])
    order.refresh_from_db()
    assert order.status == OrderStatus.PAYMENT_DECLINED


def test_one_bad_order_never_fails_the_others() -> None:
    good, bad, flaky = (
        reserved(count=1)[0],
        reserved("pm_card_chargeDeclined")[0],
        reserved("pm_sandbox_flaky")[0],
    )
    outcome = charging.charge([good.pk, bad.pk, flaky.pk])
    assert outcome.done == [good.pk]
    assert [(failure.order_id, failure.attempt) for failure in outcome.failed] == [(flaky.pk, 1)]
    assert isinstance(outcome.failed[0].error, Transient)
    assert outcome.failed[0].error.retry_after == 1


def test_a_slow_card_does_not_hold_up_its_batch() -> None:
    """Who is not answered when the others long are leaves the batch, and is found captured when asked about alone."""
    slow, quick = reserved("pm_sandbox_slow")[0], reserved(count=5)
    outcome = charging.charge([slow.pk, *(order.pk for order in quick)])
    assert sorted(outcome.done) == [order.pk for order in quick]
    assert [failure.order_id for failure in outcome.failed] == [slow.pk]
    while not charging.charge([slow.pk]).done:
        slow.payment.refresh_from_db()
    assert captures(slow) == [slow.total_minor]


def test_an_answer_that_never_came_is_asked_for(servers: Servers) -> None:
    """The provider charges and dies before it answers, as we see it: the next try asks and charges nothing twice."""
    [order] = reserved("pm_sandbox_timeout")
    first = charging.charge([order.pk])
    assert [failure.order_id for failure in first.failed] == [order.pk]
    assert captures(order) == [order.total_minor]
    assert charging.charge([order.pk]).done == [order.pk]
    assert captures(order) == [order.total_minor]


def test_a_provider_that_is_away_costs_a_try_and_nothing_else(servers: Servers) -> None:
    [order] = reserved()
    servers.kill("payments")
    try:
        outcome = charging.charge([order.pk])
        assert [failure.attempt for failure in outcome.failed] == [1]
        order.refresh_from_db()
        assert order.status == OrderStatus.RESERVED
    finally:
        servers.start("payments")
    assert charging.charge([order.pk]).done == [order.pk]
    assert captures(order) == [order.total_minor]


def confirm(order: Order, outcome: str) -> None:
    """What the buyer does on the bank's page."""
    order.payment.refresh_from_db()
    page = urlsplit(order.payment.action_url)
    assert page.hostname
    bank = http.client.HTTPConnection(page.hostname, page.port)
    form = {"Content-Type": "application/x-www-form-urlencoded"}
    bank.request("POST", page.path, f"outcome={outcome}", form)
    assert bank.getresponse().status == 303
    bank.close()


@pytest.mark.parametrize(
    ("outcome", "end"), [("complete", OrderStatus.PAID), ("fail", OrderStatus.PAYMENT_DECLINED)]
)
def test_3d_secure_waits_for_the_buyer(outcome: str, end: OrderStatus) -> None:
    [order] = reserved("pm_card_threeDSecure2Required")
    assert charging.charge([order.pk]).done == []
    order.refresh_from_db()
    assert order.status == OrderStatus.AWAITING_PAYMENT
    assert order.due_at is not None
    assert order.due_at > timezone.now()
    confirm(order, outcome)
    charging.charge([order.pk])
    order.refresh_from_db()
    assert order.status == end
    assert captures(order) == ([order.total_minor] if end == OrderStatus.PAID else [])


def test_a_confirmation_that_never_comes_is_given_up() -> None:
    [order] = reserved("pm_card_threeDSecure2Required")
    charging.charge([order.pk])
    Payment.objects.filter(order=order).update(hold_until=timezone.now() - timedelta(seconds=1))
    charging.charge([order.pk])
    order.refresh_from_db()
    assert order.status == OrderStatus.PAYMENT_DECLINED
    assert "not confirmed in time" in last_detail(order)
    assert not facts_of([order.pk])[0].holds_money


def test_a_charge_that_overlaps_a_cancellation_is_given_back() -> None:
    """The order is cancelled while the provider works: the answer is kept, the order is due, the money goes back."""
    for _ in range(5):
        [order] = reserved("pm_sandbox_slow")
        at_once(
            lambda number, order=order: charging.charge([order.pk]) if number else cancel(order.token),  # type: ignore[misc]
            2,
        )
        order.refresh_from_db()
        assert order.status == OrderStatus.CANCELLED
        assert order.due_at is not None
        while refunding.refund([order.pk]).failed:
            order.payment.refresh_from_db()
            if order.payment.requested_at:  # the wait for a call that may be on its way is over
                Payment.objects.filter(order=order).update(requested_at=timezone.now() - timedelta(minutes=1))
        payment = Payment.objects.get(order=order)
        assert payment.captured_minor == payment.refunded_minor
        assert not facts_of([order.pk])[0].holds_money


def test_a_charge_that_nobody_knows_any_more_is_neither_repeated_nor_forgotten() -> None:
    """The shop has moved to another gateway, say: a person must look, whatever is to be done with the money."""
    [waiting] = reserved("pm_card_threeDSecure2Required")
    [cancelled] = reserved()
    charging.charge([waiting.pk, cancelled.pk])
    cancel(cancelled.token)
    Payment.objects.update(reference="pi_of_another_gateway")
    for step, order in ((charging.charge, waiting), (refunding.refund, cancelled)):
        [failure] = step([order.pk]).failed
        assert isinstance(failure.error, Refused)
        assert "does not know pi_of_another_gateway" in str(failure.error)
    assert facts_of([cancelled.pk])[0].holds_money
