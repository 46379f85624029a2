"""Cancelling: until the carrier may have the parcel, and never both."""

import pytest

from orders import inventory, scheduling
from orders.cancelling import NotCancellable, cancel, cancellable, unanswered
from orders.invoices import issuing
from orders.models import Order, Payment, Shipment
from orders.payments import charging, refunding
from orders.providers.failures import Refused
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


def refused_order() -> Order:
    """Paid, and the carrier has refused its parcel."""
    order = paid_order()
    Order.objects.filter(pk=order.pk).update(city=" ")
    [failure] = booking.book([order.pk]).failed
    assert isinstance(failure.error, Refused)
    return order


def stopped_without_an_answer() -> Order:
    """Paid, its parcel asked for, and nobody looks at it any more."""
    order = paid_order()
    Shipment.objects.create(order=order)
    scheduling.set_aside([order.pk], "shipping.book: it never answers")
    order.refresh_from_db()
    return order


def test_a_parcel_that_was_refused_is_with_nobody_and_its_order_can_be_cancelled() -> None:
    order = refused_order()
    assert cancellable(order)
    assert cancel(order.token).status == OrderStatus.CANCELLED
    inventory.release([order.pk])
    assert refunding.refund([order.pk]).done == [order.pk]
    assert Payment.objects.get(order=order).status == Payment.Status.REFUNDED
    assert booking.book([order.pk]).done == [order.pk]
    assert order.shipment.status == Shipment.Status.REFUSED


def test_a_parcel_that_is_being_asked_for_is_not_said_to_be_with_the_carrier() -> None:
    order = paid_order()
    Shipment.objects.create(order=order)
    with pytest.raises(NotCancellable, match="its answer is not here yet"):
        cancel(order.token)
    with pytest.raises(NotCancellable, match="its answer is not here yet"):
        cancel(order.token, carrier_has_nothing=True)  # a call may be under way


def test_without_an_answer_it_takes_the_carriers_word() -> None:
    order = stopped_without_an_answer()
    assert not cancellable(order)
    assert unanswered(order)
    with pytest.raises(NotCancellable, match="has not answered, so it may have it"):
        cancel(order.token)
    assert cancel(order.token, carrier_has_nothing=True).status == OrderStatus.CANCELLED
    assert Shipment.objects.get().status == Shipment.Status.REFUSED


def test_the_carriers_word_cancels_nothing_that_is_booked() -> None:
    order = paid_order()
    booking.book([order.pk])
    scheduling.set_aside([order.pk], "inventory.invoice: boom")
    with pytest.raises(NotCancellable, match="already with the carrier"):
        cancel(order.token, carrier_has_nothing=True)


def test_cancelled_or_asked_for_once_more_but_never_both() -> None:
    """A refused parcel is replayed at the moment in which its buyer cancels."""
    for _ in range(10):
        order = refused_order()
        Order.objects.filter(pk=order.pk).update(city="London")
        at_once(lambda number, order=order: booking.book([order.pk]) if number else cancel(order.token), 2)  # type: ignore[misc]
        order = Order.objects.get(pk=order.pk)
        is_booked = order.shipment.status == Shipment.Status.BOOKED
        assert (order.status == OrderStatus.CANCELLED) != is_booked


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
