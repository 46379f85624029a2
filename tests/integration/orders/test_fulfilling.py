"""Shipping, invoicing and completing: each once, in any order, and complete only when all of it is there."""

import pytest

from orders import closing, inventory
from orders.invoices import issuing
from orders.models import Document, Order, Shipment, StockItem
from orders.notifications import email, sms
from orders.payments import charging, refunding
from orders.shipping import booking
from orders.states import OrderStatus
from orders.workflow import SIDE_BY_SIDE, work_of
from tests.making import at_once, kinds, ledger, place_order, stock

pytestmark = pytest.mark.django_db(transaction=True)

STEPS = {step.value: work_of(step) for step in SIDE_BY_SIDE}


def ready(count: int = 1, card: str | None = "pm_card_visa") -> list[Order]:
    """Orders whose goods may go: paid, or reserved and paid for at the door."""
    stock(KETTLE=1_000)
    orders = [place_order(card=card) for _ in range(count)]
    ids = [order.pk for order in orders]
    inventory.reserve(ids)
    charging.charge(ids)
    return orders


@pytest.mark.parametrize("missing", [*STEPS, None])
@pytest.mark.parametrize("card", ["pm_card_visa", None])
def test_an_order_is_complete_when_nothing_is_missing(missing: str | None, card: str | None) -> None:
    [order] = ready(card=card)
    for name, step in STEPS.items():
        if name != missing:
            step([order.pk])
    assert closing.complete([order.pk]) == ([] if missing else [order.pk])
    order.refresh_from_db()
    assert (order.status == OrderStatus.COMPLETED) == (order.due_at is None) == (missing is None)


def test_completing_twice_is_once() -> None:
    [order] = ready()
    for step in STEPS.values():
        step([order.pk])
    assert closing.complete([order.pk]) == [order.pk]
    assert closing.complete([order.pk]) == []
    assert kinds(order).count("order.completed") == 1


def test_a_parcel_is_booked_once_by_however_many_workers() -> None:
    [order] = ready()
    at_once(lambda _: booking.book([order.pk]), 6)
    assert Shipment.objects.get().status == Shipment.Status.BOOKED
    assert len([entry for entry in ledger("carrier") if str(order.shipment.key) in entry["key"]]) == 1
    assert kinds(order).count("order.shipped") == 1
    item = StockItem.objects.get()
    assert (item.reserved, item.sold) == (0, 1)


def test_invoice_numbers_have_no_gaps_whoever_issues_them() -> None:
    orders = ready(60)
    at_once(lambda number: issuing.issue([order.pk for order in orders[number * 5 :]]), 12)
    serials = list(Document.objects.order_by("serial").values_list("serial", flat=True))
    assert serials == list(range(serials[0], serials[0] + 60))


def test_an_unpaid_order_gets_neither_invoice_nor_parcel() -> None:
    stock(KETTLE=1)
    order = place_order()
    inventory.reserve([order.pk])
    issuing.issue([order.pk])
    booking.book([order.pk])
    assert not Document.objects.exists()
    assert not Shipment.objects.exists()


def test_a_failed_order_is_closed_when_all_is_cleared_up() -> None:
    [order] = ready(card="pm_card_chargeDeclined")
    assert closing.close([order.pk]) == []
    inventory.release([order.pk])
    refunding.refund([order.pk])
    email.mail([order.pk])
    assert closing.close([order.pk]) == []
    sms.text([order.pk])
    assert closing.close([order.pk]) == [order.pk]
    order.refresh_from_db()
    assert order.due_at is None
    assert order.ended_at is not None
