"""Cancelling, which is possible until a shipment is begun. The status changes here; stock and money follow."""

from django.db import transaction

from orders import scheduling
from orders.invoices import issuing
from orders.locking import lock_orders
from orders.models import Order, Shipment
from orders.states import CANCELLABLE_STATES, OrderStatus


class NotCancellable(Exception):
    """The order cannot be cancelled any more; the message says why, for people."""


def cancel(token: str, *, detail: str = "Cancelled by the customer.") -> Order:
    """Cancel the order with this token; cancelling it again changes nothing and is no error.

    Raises Order.DoesNotExist, or NotCancellable. The row lock is the one that the step of the shipment takes: one of
    the two comes first and the other sees it.
    """
    with transaction.atomic():
        order = Order.objects.get(token=token)
        if lock_orders([order.pk], CANCELLABLE_STATES) and not Shipment.objects.filter(order=order).exists():
            scheduling.advance({order.pk: detail}, CANCELLABLE_STATES, OrderStatus.CANCELLED, then="now")
            issuing.credit([order.pk])  # if it was invoiced already
        order.refresh_from_db()
    if order.status == OrderStatus.CANCELLED:
        return order
    if order.status in CANCELLABLE_STATES or order.status == OrderStatus.COMPLETED:
        raise NotCancellable(
            f"Order {order.number} is already with the carrier. Refuse the parcel or send it back to get a refund."
        )
    raise NotCancellable(f"Order {order.number} has already ended: {order.get_status_display().lower()}.")


def cancellable(order: Order) -> bool:
    """Whether a cancel button should be shown; `cancel` itself decides."""
    return order.status in CANCELLABLE_STATES and not Shipment.objects.filter(order=order).exists()
