"""Parcels that come back: goods on the shelf or not, a credit note, the order refunded; of cash no money goes out."""

import uuid
from typing import Any

import pytest

from orders import closing, inventory, scheduling
from orders.facts import facts_of
from orders.invoices import printing
from orders.invoices.content import content_of
from orders.models import Document, Order, Refund, RefundLine, StockItem
from orders.notifications import email, sms
from orders.notifications.messages import begin
from orders.payments import charging, refunding
from orders.refunds import NotRefundable, refund, refundable, returnable
from orders.shipping import booking
from orders.states import Channel, OrderStatus
from orders.workflow import SIDE_BY_SIDE, Step, remaining, work_of
from shop.pages.progress import progress_of
from tests.making import at_once, kinds, last_detail, ledger, place_order, stock

pytestmark = pytest.mark.django_db(transaction=True)


def on_its_way(card: str | None = None) -> Order:
    """3 kettles and 2 mugs of 12.50, with the carrier, and not completed yet."""
    stock(KETTLE=100, MUG=100)
    order = place_order((("KETTLE", 3), ("MUG", 2)), card=card)
    inventory.reserve([order.pk])
    charging.charge([order.pk])
    booking.book([order.pk])
    order.refresh_from_db()
    return order


def delivered(card: str | None = None) -> Order:
    order = on_its_way(card)
    for step in SIDE_BY_SIDE:
        work_of(step)([order.pk])
    assert closing.complete([order.pk]) == [order.pk]
    order.refresh_from_db()
    return order


def take_back(order: Order, pieces: dict[str, int] | None = None, **changes: Any) -> Refund:
    ids = dict(order.lines.values_list("sku", "id"))
    chosen = None if pieces is None else {ids[sku]: quantity for sku, quantity in pieces.items()}
    given = {
        "key": str(uuid.uuid4()),
        "reason": "Refused at the door.",
        "by": "ada",
        "restock": True,
        **changes,
    }
    return refund(order.pk, chosen, **given)


def paid_out(order: Order) -> int:
    return sum(
        entry["amount"]
        for entry in ledger("payments")
        if entry["kind"] == "refunded" and entry["order"] == order.number
    )


def clear_up(order: Order) -> None:
    for _ in range(10):
        [facts] = facts_of([order.pk])
        for step in remaining(facts)[:1]:
            for one in step if isinstance(step, tuple) else (step,):
                work_of(one)([order.pk])
    order.refresh_from_db()


def test_cash_that_comes_back_is_refunded_without_a_payment_out() -> None:
    order = delivered()
    before = StockItem.objects.get(sku="KETTLE").on_hand
    made = take_back(order)
    assert (made.amount_minor, made.whole, made.status) == (6_250, True, Refund.Status.MADE)
    order.refresh_from_db()
    assert order.status == OrderStatus.REFUNDED
    [facts] = facts_of([order.pk])
    assert remaining(facts) == ((Step.EMAIL, Step.SMS), Step.CLOSE)
    clear_up(order)
    assert order.ended_at
    assert StockItem.objects.get(sku="KETTLE").on_hand == before + 3
    assert paid_out(order) == 0
    assert order.notifications.filter(kind="refunded", status="sent").count() == 2


def test_goods_that_came_back_broken_stay_off_the_shelf() -> None:
    order = delivered()
    before = StockItem.objects.get(sku="MUG").on_hand
    take_back(order, restock=False)
    assert StockItem.objects.get(sku="MUG").on_hand == before


def test_it_is_credited_in_words_that_fit() -> None:
    order = delivered()
    take_back(order)
    [note] = printing.with_rows(Document.objects.filter(order=order, kind="credit_note"))
    said = content_of(note, *printing.figures_of(note))
    assert (said.payment, said.total) == ("Nothing to pay", "£62.50")
    assert "What was paid at the door goes back as it was paid" in said.note


def test_customers_are_told_of_no_money_that_is_on_its_way() -> None:
    order = delivered()
    take_back(order)
    [message] = begin([order.pk], Channel.EMAIL)
    mail = email._compose(message, [])
    assert mail.subject == f"The parcel of your order {order.number} came back"
    for text in (mail.body, str(mail.alternatives[0][0])):
        assert "there is nothing to pay for it" in text
        assert "62.50" not in text
    [short] = begin([order.pk], Channel.SMS)
    assert "nothing to pay" in sms._TEXTS[short.words]
    order.refresh_from_db()
    seen = progress_of(order, list(order.events.all()), None, order.shipment, 2)
    assert seen.headline == "Your parcel came back"


def test_part_of_it_comes_back_and_the_order_stays_completed() -> None:
    order = delivered()
    made = take_back(order, {"KETTLE": 2})
    order.refresh_from_db()
    assert (order.status, order.due_at, made.whole) == (OrderStatus.COMPLETED, None, False)
    assert order.ended_at
    assert kinds(order)[-1] == "order.partly_refunded"
    assert last_detail(order) == "£25.00: 2 × KETTLE"
    assert Document.objects.filter(order=order, kind="credit_note").count() == 1
    assert refundable(order).amount_minor == 3_750


def test_the_last_part_ends_it_and_nothing_is_left() -> None:
    order = delivered()
    take_back(order, {"KETTLE": 3})
    assert take_back(order, {"MUG": 2}).whole
    order.refresh_from_db()
    assert order.status == OrderStatus.REFUNDED
    with pytest.raises(NotRefundable, match="There is nothing to refund"):
        take_back(order)


def test_people_at_once_never_take_back_more_than_there_was() -> None:
    order = delivered()
    at_once(lambda _: take_back(order, {"KETTLE": 2}), 4)
    assert list(RefundLine.objects.values_list("quantity", flat=True)) == [2]
    assert StockItem.objects.get(sku="KETTLE").on_hand == 99


@pytest.mark.parametrize("card", ["pm_card_visa", None])
def test_a_parcel_that_comes_back_before_its_order_is_completed_ends_it(card: str | None) -> None:
    """A step is stuck, and the buyer has refused the parcel meanwhile."""
    order = on_its_way(card)
    scheduling.set_aside([order.pk], "inventory.invoice: boom")
    order.refresh_from_db()
    assert returnable(order)
    take_back(order)
    clear_up(order)
    assert order.status == OrderStatus.REFUNDED
    assert order.ended_at
    assert paid_out(order) == (6_250 if card else 0)
    assert set(order.documents.values_list("kind", flat=True)) == {"invoice", "credit_note"}


def test_only_the_whole_of_it_comes_back_before_it_is_completed() -> None:
    with pytest.raises(NotRefundable, match="only be refunded whole"):
        take_back(on_its_way(), {"KETTLE": 1})


def test_of_what_was_not_sent_nothing_comes_back() -> None:
    stock(KETTLE=100)
    order = place_order(card=None)
    inventory.reserve([order.pk])
    assert not returnable(Order.objects.get(pk=order.pk))
    with pytest.raises(NotRefundable, match="Cancel it instead"):
        take_back(order)


def test_card_orders_are_refunded_as_before() -> None:
    order = delivered("pm_card_visa")
    assert take_back(order, {"MUG": 1}).status == Refund.Status.REQUESTED
    refunding.refund([order.pk])
    assert paid_out(order) == 1_250
