"""Cancelling, which is possible until the carrier may have the parcel. The status changes here; stock and money follow.

A parcel that was asked for and refused is with nobody, so its order can be cancelled. One that was asked for without an
answer may be with the carrier. When such an order stands still, somebody at the desk can ask the carrier and cancel it
by the carrier's word that there is no parcel.
"""

from django.db import transaction

from orders import scheduling
from orders.invoices import issuing
from orders.locking import lock_orders
from orders.models import Order, Shipment
from orders.models.shipment import parcel_of
from orders.states import CANCELLABLE_STATES, OrderStatus


class NotCancellable(Exception):
    """The order cannot be cancelled any more; the message says why, for people."""


def cancel(
    token: str, *, detail: str = "Cancelled by the customer.", carrier_has_nothing: bool = False
) -> Order:
    """Cancel the order with this token; cancelling it again changes nothing and is no error.

    `carrier_has_nothing`: the carrier says so, whom a person has asked about a parcel without an answer.

    Raises Order.DoesNotExist, or NotCancellable. The row lock is the one that the step of the shipment takes: one of
    the two comes first and the other sees it.
    """
    with transaction.atomic():
        order = Order.objects.get(token=token)
        if lock_orders([order.pk], CANCELLABLE_STATES):
            order.refresh_from_db()
            if carrier_has_nothing and unanswered(order):
                Shipment.objects.filter(order=order, status=Shipment.Status.REQUESTED).update(
                    status=Shipment.Status.REFUSED,
                    reason="The carrier has no parcel of it, as the desk was told.",
                )
                order.refresh_from_db()
            if cancellable(order):
                scheduling.advance({order.pk: detail}, CANCELLABLE_STATES, OrderStatus.CANCELLED, then="now")
                issuing.credit([order.pk])  # if it was invoiced already
        order.refresh_from_db()
    if order.status == OrderStatus.CANCELLED:
        return order
    if order.status in CANCELLABLE_STATES or order.status == OrderStatus.COMPLETED:
        raise NotCancellable(_why_not(order))
    raise NotCancellable(f"Order {order.number} has already ended: {order.get_status_display().lower()}.")


def cancellable(order: Order) -> bool:
    """Whether a cancel button should be shown; `cancel` itself decides."""
    return order.status in CANCELLABLE_STATES and parcel_of(order) in (None, Shipment.Status.REFUSED)


def unanswered(order: Order) -> bool:
    """Whether the order stands still, and nobody knows if the carrier has its parcel."""
    stands_still = order.due_at is None and order.ended_at is None
    return (
        order.status in CANCELLABLE_STATES and stands_still and parcel_of(order) == Shipment.Status.REQUESTED
    )


def _why_not(order: Order) -> str:
    if parcel_of(order) != Shipment.Status.REQUESTED:
        return f"Order {order.number} is already with the carrier. Refuse the parcel or send it back to get a refund."
    if unanswered(order):
        return (
            f"The carrier was asked for the parcel of order {order.number} and has not answered, so it may have it. "
            "One of us is looking after it; to cancel it, let us ask the carrier first."
        )
    return (
        f"The carrier has been asked for the parcel of order {order.number}, and its answer is not here yet. "
        "Try again when it is, in a few minutes."
    )
