"""Cancelling: until a shipment is begun, and never both."""

import pytest

from orders import inventory
from orders.cancelling import NotCancellable, cancel, cancellable
from orders.invoices import issuing
from orders.models import Order, Payment, Shipment
from orders.payments import charging, refunding
from orders.shipping import booking
from orders.states import OrderStatus
from tests.making import at_once, place_order, stock

pytestmark = pytest.mark.django_db(transaction=True)


def paid_order() -> Order:
    stock(KETTLE=100)
    order = place_order()
    inventory.reserve([order.pk])
    charging.charge([order.pk])
    order.refresh_from_db()
    assert order.status == OrderStatus.PAID
    return order


def test_a_paid_order_is_cancelled_and_its_money_given_back() -> None:
    order = paid_order()
    assert cancellable(order)
    assert cancel(order.token).status == OrderStatus.CANCELLED
    assert refunding.refund([order.pk]).done == [order.pk]
    payment = Payment.objects.get(order=order)
    assert (payment.status, payment.refunded_minor) == (Payment.Status.REFUNDED, order.total_minor)


def test_cancelling_twice_is_once() -> None:
    order = paid_order()
    cancel(order.token)
    cancel(order.token)
    assert order.events.filter(kind="order.cancelled").count() == 1


def test_what_is_with_the_carrier_cannot_be_cancelled() -> None:
    order = paid_order()
    booking.book([order.pk])
    assert not cancellable(order)
    with pytest.raises(NotCancellable, match="already with the carrier"):
        cancel(order.token)
    order.refresh_from_db()
    assert order.status == OrderStatus.PAID


def test_an_order_that_has_ended_says_how() -> None:
    order = place_order([("GHOST", 1)])
    inventory.reserve([order.pk])
    with pytest.raises(NotCancellable, match="has already ended: out of stock"):
        cancel(order.token)


def test_a_cancelled_order_is_neither_shipped_nor_invoiced() -> None:
    order = paid_order()
    cancel(order.token)
    booking.book([order.pk])
    issuing.issue([order.pk])
    assert not Shipment.objects.exists()
    assert not order.documents.exists()


def test_cancelled_or_shipped_but_never_both() -> None:
    """A customer's click and the carrier's booking at the same moment: the order's lock lets one of them win."""
    for _ in range(10):
        order = paid_order()
        at_once(lambda number, order=order: booking.book([order.pk]) if number else cancel(order.token), 2)  # type: ignore[misc]
        order.refresh_from_db()
        assert (order.status == OrderStatus.CANCELLED) != Shipment.objects.filter(order=order).exists()
