"""Correcting where an order's parcel goes, at the desk, while there is no parcel. The invoice keeps the order's own.

What the address was and what it became stands in the order's log. The row lock is the one that the step of the shipment
takes, so a parcel goes either to the old address or to the new one, and the log says to which.
"""

from dataclasses import astuple, fields

from django.db import transaction

from orders.locking import lock_orders
from orders.models import Delivery, Order, OrderEvent, Shipment
from orders.models.delivery import delivered_to
from orders.models.shipment import parcel_of
from orders.placing import Address
from orders.states import CANCELLABLE_STATES, EventKind

_LONGEST = 140  # characters of an address in the log, which has room for two


class NotRedirectable(Exception):
    """The address cannot be changed any more; the message says why, for people."""


def address_of(order: Order) -> Address:
    """Where its parcel goes."""
    found = delivered_to(order)
    return Address(*(getattr(found, one.name) for one in fields(Address)))


def redirectable(order: Order) -> bool:
    """Whether there is no parcel yet, and may be one; `redirect` itself decides."""
    return order.status in CANCELLABLE_STATES and parcel_of(order) in (None, Shipment.Status.REFUSED)


def redirect(order_id: int, to: Address) -> bool:
    """Send the order's parcel there; False if it goes there already. Raises NotRedirectable."""
    with transaction.atomic():
        lock_orders([order_id], CANCELLABLE_STATES)
        order = Order.objects.get(pk=order_id)
        if not redirectable(order):
            raise NotRedirectable(_why_not(order))
        before = address_of(order)
        if before == to:
            return False
        Delivery.objects.update_or_create(
            order=order, defaults={one.name: getattr(to, one.name) for one in fields(Address)}
        )
        OrderEvent.objects.create(
            order=order, kind=EventKind.REDIRECTED, detail=f"From {_in_a_line(before)} to {_in_a_line(to)}"
        )
    return True


def _why_not(order: Order) -> str:
    if order.status not in CANCELLABLE_STATES:
        return f"Order {order.number} is {order.get_status_display().lower()}: its parcel goes nowhere else any more."
    if parcel_of(order) == Shipment.Status.BOOKED:
        return (
            f"The carrier has the parcel of order {order.number}. Ask the carrier to deliver it elsewhere, or take it "
            "back when it returns."
        )
    return (
        f"The carrier was asked for the parcel of order {order.number} and has not answered, so it may have it. Try "
        "the order again first: then it is either with the carrier, or refused and can go elsewhere."
    )


def _in_a_line(address: Address) -> str:
    line = ", ".join(part for part in astuple(address) if part)
    return line if len(line) <= _LONGEST else f"{line[: _LONGEST - 1]}…"
