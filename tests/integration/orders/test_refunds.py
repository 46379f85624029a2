"""Refunds of completed orders, whole and by line: promised once, made once, and never more than was captured."""

import uuid
from typing import Any

import pytest
from django.db import IntegrityError, transaction
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra.django import TransactionTestCase

from orders import closing, inventory, locking, refunds, sql
from orders.facts import facts_of
from orders.models import Order, Payment, Refund, RefundLine, StockItem
from orders.notifications import email, sms
from orders.payments import charging, refunding
from orders.providers.failures import Refused, Transient
from orders.refunds import NotRefundable, refund, refundable
from orders.states import OrderStatus
from orders.workflow import SIDE_BY_SIDE, Step, remaining, work_of
from tests.making import at_once, kinds, last_detail, ledger, place_order, stock, unlocked
from tests.servers import Servers

pytestmark = pytest.mark.django_db(transaction=True)

LINES = (("KETTLE", 3), ("MUG", 2))  # of 12.50 each


def completed(lines: tuple[tuple[str, int], ...] = LINES, card: str | None = "pm_card_visa") -> Order:
    stock(KETTLE=1_000, MUG=1_000)
    order = place_order(lines, card=card)
    inventory.reserve([order.pk])
    charging.charge([order.pk])
    for step in SIDE_BY_SIDE:
        work_of(step)([order.pk])
    assert closing.complete([order.pk]) == [order.pk]
    order.refresh_from_db()
    return order


def ask(order: Order, pieces: dict[str, int] | None = None, **changes: Any) -> Refund:
    """A refund of pieces by their SKU, or of all that is left."""
    ids = dict(order.lines.values_list("sku", "id"))
    chosen = None if pieces is None else {ids[sku]: quantity for sku, quantity in pieces.items()}
    given = {"key": str(uuid.uuid4()), "reason": "It was broken.", "by": "ada", "restock": False, **changes}
    return refund(order.pk, chosen, **given)


def given_back(order: Order) -> list[int]:
    """The amounts that the provider's own ledger says it refunded for this order."""
    return [
        entry["amount"]
        for entry in ledger("payments")
        if entry["kind"] == "refunded" and (entry["key"] or "").startswith(str(order.payment.key))
    ]


def plan(order: Order) -> Any:
    [facts] = facts_of([order.pk])
    return remaining(facts)


def test_a_part_is_given_back_and_the_order_stays_completed() -> None:
    order = completed()
    made = ask(order, {"KETTLE": 2})
    assert (made.amount_minor, made.whole, made.status) == (2_500, False, Refund.Status.REQUESTED)
    order.refresh_from_db()
    assert (order.due_at is None, order.ended_at) == (False, None)
    assert plan(order) == (Step.REFUND, Step.CLOSE)
    assert closing.close([order.pk]) == []

    assert refunding.refund([order.pk]).done == [order.pk]
    assert closing.close([order.pk]) == [order.pk]
    order.refresh_from_db()
    made.refresh_from_db()
    payment = Payment.objects.get(order=order)
    assert (order.status, made.status) == (OrderStatus.COMPLETED, Refund.Status.MADE)
    assert (payment.status, payment.captured_minor, payment.refunded_minor) == ("captured", 6_250, 2_500)
    assert order.ended_at
    assert plan(order) == ()
    assert given_back(order) == [2_500]
    assert kinds(order)[-1] == "order.partly_refunded"
    assert last_detail(order) == "£25.00: 2 × KETTLE"


def test_the_whole_is_given_back_and_the_customer_told() -> None:
    order = completed()
    assert ask(order).whole
    order.refresh_from_db()
    assert order.status == OrderStatus.REFUNDED
    assert plan(order) == (Step.REFUND, (Step.EMAIL, Step.SMS), Step.CLOSE)
    for step in (refunding.refund, email.mail, sms.text):
        step([order.pk])
    assert closing.close([order.pk]) == [order.pk]
    assert given_back(order) == [6_250]
    assert Payment.objects.get(order=order).status == Payment.Status.REFUNDED
    assert order.notifications.filter(kind="refunded", status="sent").count() == 2


def test_parts_add_up_and_the_last_one_ends_the_order() -> None:
    order = completed()
    ask(order, {"KETTLE": 3})
    refunding.refund([order.pk])
    last = ask(order, {"MUG": 2})
    order.refresh_from_db()
    assert last.whole
    assert order.status == OrderStatus.REFUNDED
    refunding.refund([order.pk])
    assert given_back(order) == [3_750, 2_500]
    assert Payment.objects.get(order=order).refunded_minor == 6_250
    with pytest.raises(NotRefundable, match="only what was sent"):
        ask(order)


def test_what_is_left_is_the_whole_of_the_rest() -> None:
    order = completed()
    ask(order, {"KETTLE": 1})
    rest = ask(order)
    assert (rest.amount_minor, rest.whole) == (5_000, True)
    assert dict(rest.lines.values_list("line__sku", "quantity")) == {"KETTLE": 2, "MUG": 2}
    refunding.refund([order.pk])
    assert sorted(given_back(order)) == [1_250, 5_000]


def test_a_repeated_request_is_one_refund() -> None:
    order = completed()
    first, second = ask(order, {"MUG": 1}, key="form"), ask(order, {"MUG": 1}, key="form")
    assert first == second
    whole = ask(order, key="whole")
    assert ask(order, key="whole") == whole
    assert Refund.objects.count() == 2


def test_two_clicks_at_once_are_one_refund() -> None:
    order = completed()
    answers = at_once(lambda _: ask(order, {"MUG": 1}, key="form"), 6)
    assert {answer.pk for answer in answers if isinstance(answer, Refund)} == {Refund.objects.get().pk}
    assert Payment.objects.get(order=order).promised_minor == 1_250


def _many_at_once(order: Order) -> int:
    """How many pieces of the three kettles six people at once were promised."""
    at_once(lambda _: ask(order, {"KETTLE": 1}), 6)
    return sum(RefundLine.objects.filter(refund__order=order).values_list("quantity", flat=True))


def test_people_at_once_never_refund_more_pieces_than_there_were() -> None:
    for _ in range(5):
        assert _many_at_once(completed()) == 3


def test_without_the_orders_lock_they_would(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(locking, "_LOCK_ORDERS", unlocked(locking._LOCK_ORDERS))
    assert any(_many_at_once(completed()) > 3 for _ in range(20))


def test_the_database_refuses_to_promise_more_than_was_captured() -> None:
    order = completed()
    with pytest.raises(IntegrityError, match="payment_promised_within_captured"), transaction.atomic():
        Payment.objects.filter(order=order).update(promised_minor=6_251)


def test_a_promise_cannot_be_changed() -> None:
    made = ask(completed(), {"KETTLE": 1})
    for change in (
        lambda: Refund.objects.filter(pk=made.pk).update(amount_minor=1),
        lambda: made.lines.update(quantity=2),
        made.delete,
    ):
        with pytest.raises(IntegrityError), transaction.atomic():
            change()


def test_a_refund_asked_before_is_looked_for_and_made_once() -> None:
    """The provider refunded, and whoever asked died before writing it down."""
    order = completed()
    made = ask(order, {"KETTLE": 1})
    refunding.refund([order.pk])
    Refund.objects.filter(pk=made.pk).update(status="requested", made_at=None)
    Payment.objects.filter(order=order).update(refunded_minor=0)
    assert refunding.refund([order.pk]).done == [order.pk]
    assert given_back(order) == [1_250]
    assert Payment.objects.get(order=order).refunded_minor == 1_250


def test_two_workers_at_once_give_back_once() -> None:
    order = completed()
    ask(order, {"KETTLE": 1})
    ask(order, {"MUG": 1})
    at_once(lambda _: refunding.refund([order.pk]), 4)
    while refunding.refund([order.pk]).failed:  # another's call was still running
        pass
    assert given_back(order) == [1_250, 1_250]
    assert Payment.objects.get(order=order).refunded_minor == 2_500


def test_a_provider_that_is_away_costs_a_try_and_nothing_else(servers: Servers) -> None:
    order = completed()
    ask(order, {"KETTLE": 1})
    servers.kill("payments")
    try:
        outcome = refunding.refund([order.pk])
        assert [type(failure.error) for failure in outcome.failed] == [Transient]
        assert outcome.done == []
    finally:
        servers.start("payments")
    assert plan(order)[0] == Step.REFUND
    assert refunding.refund([order.pk]).done == [order.pk]
    assert given_back(order) == [1_250]


def test_what_was_refused_can_be_asked_for_again() -> None:
    """A provider says to a key again what it said the first time, so what it refused goes under a new one."""
    order = completed()
    ask(order, {"KETTLE": 1})
    refunding.refund([order.pk])
    ask(order, {"KETTLE": 1})
    reference = Payment.objects.get(order=order).reference
    Payment.objects.filter(order=order).update(reference="pi_unknown")
    [failure] = refunding.refund([order.pk]).failed
    assert isinstance(failure.error, Refused)
    Payment.objects.filter(order=order).update(reference=reference)
    assert refunding.refund([order.pk]).done == [order.pk]
    assert given_back(order) == [1_250, 1_250]


def test_what_came_back_is_on_the_shelf_again() -> None:
    order = completed()
    before = StockItem.objects.get(sku="KETTLE")
    ask(order, {"KETTLE": 2}, restock=True)
    after = StockItem.objects.get(sku="KETTLE")
    assert (after.on_hand - before.on_hand, after.stocked - before.stocked) == (2, 2)
    assert after.sold == before.sold
    ask(order, {"KETTLE": 1})
    assert StockItem.objects.get(sku="KETTLE").on_hand == after.on_hand


def test_what_was_not_sent_cannot_be_refunded_and_says_why() -> None:
    order = place_order()
    for asked in (refundable, ask):
        with pytest.raises(NotRefundable, match="is placed: only what was sent can be refunded"):
            asked(order)


@pytest.mark.parametrize(
    ("pieces", "words"),
    [
        ({"KETTLE": 4}, "4 of KETTLE cannot be refunded: 3 of 3 are left"),
        ({"KETTLE": -1}, "cannot be refunded"),
        ({"KETTLE": 0}, "Nothing was chosen"),
        ({}, "Nothing was chosen"),
    ],
)
def test_pieces_that_were_not_bought_are_not_refunded(pieces: dict[str, int], words: str) -> None:
    order = completed()
    with pytest.raises(NotRefundable, match=words):
        ask(order, pieces)
    assert not Refund.objects.exists()
    assert Payment.objects.get(order=order).promised_minor == 0


def test_lines_of_another_order_are_not_refunded() -> None:
    order, other = completed(), completed()
    line = other.lines.get(sku="MUG")
    with pytest.raises(NotRefundable, match="not of this order"):
        refund(order.pk, {line.pk: 1}, key="form", reason="", by="ada", restock=False)


class MoneyTest(TransactionTestCase):
    """Whatever is asked for, in whatever order, the money adds up."""

    @given(
        st.lists(
            st.one_of(
                st.none(),
                st.dictionaries(st.sampled_from(["KETTLE", "MUG"]), st.integers(-1, 4), max_size=2),
                st.just("give back"),
            ),
            max_size=8,
        )
    )
    @settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))
    def test_never_more_than_was_captured(self, asked: list[dict[str, int] | str | None]) -> None:
        order = completed()
        for one in asked:
            try:
                if isinstance(one, str):
                    refunding.refund([order.pk])
                else:
                    ask(order, one)
            except NotRefundable:
                pass
            payment = Payment.objects.get(order=order)
            order.refresh_from_db()
            promised = list(Refund.objects.filter(order=order).values_list("amount_minor", flat=True))
            made = Refund.objects.filter(order=order, status="made").values_list("amount_minor", flat=True)
            assert sum(promised) == payment.promised_minor <= payment.captured_minor == 6_250
            assert sum(made) == payment.refunded_minor
            assert (order.status == OrderStatus.REFUNDED) == (payment.promised_minor == 6_250)
            left = [line.left for line in _lines(order)]
            assert all(piece >= 0 for piece in left)
            assert payment.captured_minor - payment.promised_minor == 1_250 * sum(left)
        refunding.refund([order.pk])
        assert sum(given_back(order)) == Payment.objects.get(order=order).promised_minor


def _lines(order: Order) -> list[refunds.Line]:
    return [refunds.Line(*row) for row in sql.rows(refunds._LINES, {"order_id": order.pk})]
