"""Money that the provider will not give back and that went back another way: counted apart, and never sent twice."""

import uuid
from dataclasses import replace
from datetime import timedelta

import pytest
from django.db import IntegrityError, transaction
from django.utils import timezone

from orders import closing, inventory, locking, scheduling, sql
from orders.cancelling import cancel
from orders.models import Order, Payment, Refund
from orders.notifications import email, sms
from orders.payments import charging, reconciling, refunding
from orders.payments.comparing import Books, Difference, compare
from orders.payments.gateway import Intent, Listed
from orders.refunds import refund
from orders.settling import NotSettleable, owed, settle
from orders.states import OrderStatus
from orders.workflow import SIDE_BY_SIDE, work_of
from tests.making import at_once, kinds, last_detail, ledger, place_order, stock, unlocked
from workers.audit.books import prove

pytestmark = pytest.mark.django_db(transaction=True)

LONG_AGO = timezone.now() - timedelta(days=1)


def paid() -> Order:
    stock(KETTLE=100)
    order = place_order((("KETTLE", 3),))
    inventory.reserve([order.pk])
    charging.charge([order.pk])
    return order


def completed() -> Order:
    order = paid()
    for step in SIDE_BY_SIDE:
        work_of(step)([order.pk])
    assert closing.complete([order.pk]) == [order.pk]
    return order


def stuck(order: Order) -> Order:
    """Its refund was refused for good."""
    scheduling.set_aside([order.pk], "payment.refund: the account is closed")
    order.refresh_from_db()
    return order


def part(order: Order, pieces: int) -> Refund:
    line = order.lines.get().pk
    return refund(order.pk, {line: pieces}, key=str(uuid.uuid4()), reason="Broken.", by="ada", restock=False)


def clear_up(order: Order) -> None:
    for step in (inventory.release, refunding.refund, email.mail, sms.text, closing.close):
        step([order.pk])
    order.refresh_from_db()


def sent_back(order: Order) -> int:
    return sum(
        entry["amount"]
        for entry in ledger("payments")
        if entry["kind"] == "refunded" and entry["order"] == order.number
    )


def wrong() -> list[str]:
    return [problem for one in prove(with_ledgers=False).results for problem in one.problems]


def test_a_cancelled_order_goes_on_to_its_end() -> None:
    order = paid()
    cancel(order.token)
    stuck(order)
    assert owed(order) == 3_750
    assert settle(order.pk) == 3_750
    clear_up(order)
    payment = Payment.objects.get()
    assert (payment.status, payment.refunded_minor, payment.outside_minor) == ("refunded", 0, 3_750)
    assert order.ended_at
    assert sent_back(order) == 0
    assert "order.settled" in kinds(order)
    assert not wrong()


def test_what_went_back_another_way_is_not_sent_again_with_the_rest() -> None:
    order = completed()
    part(order, 1)
    stuck(order)
    assert settle(order.pk) == 1_250
    assert last_detail(order) == "£12.50"
    refunding.refund([order.pk])
    closing.close([order.pk])
    assert sent_back(order) == 0
    part(order, 2)  # the rest, which ends the order
    clear_up(order)
    payment = Payment.objects.get()
    assert order.status == OrderStatus.REFUNDED
    assert sent_back(order) == 2_500
    assert (payment.status, payment.refunded_minor, payment.outside_minor) == ("refunded", 2_500, 1_250)
    assert not wrong()


def test_a_cancellation_after_a_part_gives_back_no_more_than_the_rest() -> None:
    """The provider still holds what went back another way."""
    order = paid()
    Payment.objects.update(outside_minor=1_250)
    cancel(order.token)
    clear_up(order)
    assert sent_back(order) == 2_500
    assert Payment.objects.get().status == "refunded"


def test_a_charge_of_which_nobody_knows_counts_as_void() -> None:
    order = paid()
    Payment.objects.update(status="requested", captured_minor=0, reference="pi_of_another_provider")
    cancel(order.token)
    stuck(order)
    assert owed(order) == 0
    settle(order.pk)
    assert Payment.objects.get().status == "voided"


def _settled_by_four_at_once() -> int:
    order = completed()
    part(order, 1)
    stuck(order)
    at_once(lambda _: settle(order.pk), 4)
    return Payment.objects.get(order=order).outside_minor


def test_pressed_by_several_at_once_it_is_written_once() -> None:
    assert {_settled_by_four_at_once() for _ in range(5)} == {1_250}


def test_without_the_orders_lock_it_would_be_written_more_often(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(locking, "_LOCK_ORDERS", unlocked(locking._LOCK_ORDERS))
    assert any(_settled_by_four_at_once() > 1_250 for _ in range(20))


@pytest.mark.parametrize("prepare", [paid, completed, lambda: place_order()])
def test_where_no_money_is_stuck_there_is_nothing_to_settle(prepare: object) -> None:
    order = prepare()  # type: ignore[operator]
    order.refresh_from_db()
    assert owed(order) is None
    with pytest.raises(NotSettleable, match="does not stand still over money"):
        settle(order.pk)


def test_while_it_is_being_given_back_nothing_is_settled() -> None:
    order = completed()
    part(order, 1)
    order.refresh_from_db()
    with pytest.raises(NotSettleable):
        settle(order.pk)


def test_the_database_refuses_more_than_was_captured() -> None:
    paid()
    with pytest.raises(IntegrityError, match="payment_outside_within_captured"), transaction.atomic():
        Payment.objects.update(outside_minor=3_751)


def test_the_reconciler_does_not_call_it_held() -> None:
    charge = Listed(Intent("pi_1", "captured", 3_750, 1_250), "GBP", LONG_AGO)
    ours = Books(
        1, OrderStatus.CANCELLED, False, True, "GBP", None, "pi_1", 3_750, 1_250, 0, LONG_AGO, 0, 2_500
    )
    assert compare(charge, ours, timezone.now()) is None
    found = compare(charge, replace(ours, outside_minor=2_499), timezone.now())
    assert isinstance(found, Difference)
    assert found.kind == "charge_held"


def test_the_reconciler_knows_what_went_another_way() -> None:
    order = paid()
    Payment.objects.update(outside_minor=1_250)
    [row] = sql.rows(reconciling._BOOKS, {"orders": [order.pk], "references": []})
    assert reconciling._of(row).outside_minor == 1_250
