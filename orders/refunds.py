"""Refunding a completed order, whole or by line: what is left to give back, and the promise to do so.

The promise is made here, under the order's lock: a row, the sum of all promises on the payment, the pieces back on the
shelf if they came back, the credit note, and the order due. The money follows (orders.payments.refunding), retried and
dead-lettered as every step is. Giving back all that is left ends the order as refunded; less leaves it completed.

Of cash on delivery no money of ours moves: its refund is the parcel that came back, and is made as soon as it is
written. A parcel that comes back before its order is completed (a step is stuck) ends the order too, but only whole.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import LiteralString

from django.db import transaction
from django.utils import timezone

from orders import scheduling, sql
from orders.inventory import take_in
from orders.invoices import issuing
from orders.locking import lock_orders
from orders.models import Order, OrderEvent, Refund, RefundLine, Reversal, Shipment
from orders.models.shipment import parcel_of
from orders.money import format
from orders.payments.amounts import counting
from orders.states import CANCELLABLE_STATES, FULFILLABLE_STATES, EventKind, OrderStatus, PaymentMethod

# The fields of Line.
_LINES: LiteralString = """
SELECT l.id, l.sku, l.name, l.quantity, l.unit_price_minor,
       l.quantity - coalesce((SELECT sum(quantity) FROM orders_refundline r WHERE r.line_id = l.id), 0)
FROM orders_orderline l WHERE l.order_id = %(order_id)s ORDER BY l.position
"""
# What is captured and not promised; of cash on delivery, what was not returned.
_LEFT: LiteralString = """
SELECT p.captured_minor - p.promised_minor FROM orders_payment p
WHERE p.order_id = %(order_id)s AND p.status = 'captured'
UNION ALL
SELECT o.total_minor - (SELECT coalesce(sum(amount_minor), 0)::bigint FROM orders_refund WHERE order_id = o.id)
FROM orders_order o WHERE o.id = %(order_id)s AND o.payment_method = 'cod'
"""
# Promise an amount, if so much is left.
_PROMISE: LiteralString = """
UPDATE orders_payment SET promised_minor = promised_minor + %(amount)s, updated_at = now()
WHERE order_id = %(order_id)s AND status = 'captured' AND promised_minor + %(amount)s <= captured_minor
"""


class NotRefundable(Exception):
    """Nothing was refunded; the message says why, for people."""


@dataclass(frozen=True, slots=True)
class Line:
    """A line of an order with the pieces of it that were not refunded yet. Prices in minor units."""

    id: int
    sku: str
    name: str
    ordered: int
    unit_price_minor: int
    left: int


@dataclass(frozen=True, slots=True)
class Refundable:
    """What can still be refunded of an order: an amount in minor units, and pieces by line."""

    amount_minor: int
    lines: list[Line]


def refundable(order: Order) -> Refundable:
    """What is left to refund; raises NotRefundable when that is nothing. `refund` itself decides."""
    if order.status != OrderStatus.COMPLETED and not _on_its_way(order):
        raise NotRefundable(
            f"Order {order.number} is {order.get_status_display().lower()}: only what was sent can be refunded. "
            + ("Cancel it instead." if order.status in CANCELLABLE_STATES else "There is nothing to refund.")
        )
    if dispute := order.reversals.filter(status=Reversal.Status.OPEN).first():
        raise NotRefundable(
            f"The buyer's bank disputes {format(dispute.amount_minor, order.currency)} of order {order.number} and "
            f"holds that money ({dispute.reference}): a refund now would pay twice. Answer the dispute at the payment "
            "provider. When it is closed you can refund here what is left."
        )
    left = sql.rows(_LEFT, {"order_id": order.pk})
    if not left or left[0][0] <= 0:
        raise NotRefundable(f"Nothing is left to refund of order {order.number}.")
    return Refundable(left[0][0], [Line(*row) for row in sql.rows(_LINES, {"order_id": order.pk})])


def returnable(order: Order) -> bool:
    """Whether a refund should be offered; `refund` itself decides."""
    try:
        return bool(refundable(order))
    except NotRefundable:
        return False


def refund(
    order_id: int, pieces: Mapping[int, int] | None, *, key: str, reason: str, by: str, restock: bool
) -> Refund:
    """Promise the buyer the price of these pieces (a quantity by the line's id), or all that is left when None.

    `key` is the request's own: the same again is the same refund. Raises NotRefundable.
    """
    with transaction.atomic():
        lock_orders([order_id], tuple(OrderStatus))
        if before := Refund.objects.filter(request_key=key, order_id=order_id).first():
            return before
        order = Order.objects.get(pk=order_id)
        left = refundable(order)
        if pieces is not None and order.status != OrderStatus.COMPLETED:
            raise NotRefundable(
                f"Order {order.number} is not completed yet, so it can only be refunded whole. Refund all that is "
                "left, or replay its dead letter first."
            )
        chosen = _chosen(left, pieces)
        is_card = order.payment_method == PaymentMethod.CARD
        amount = (
            left.amount_minor
            if pieces is None
            else sum(line.unit_price_minor * quantity for line, quantity in chosen)
        )
        step = counting(order.currency).step_minor
        if is_card and amount % step:
            raise NotRefundable(
                f"These pieces come to {format(amount, order.currency)}, but a card is refunded in multiples of "
                f"{format(step, order.currency)}. Choose other pieces, or refund what is left."
            )
        if is_card and not sql.count(_PROMISE, {"order_id": order_id, "amount": amount}):
            raise NotRefundable(
                f"These pieces come to {format(amount, order.currency)}, but only "
                f"{format(left.amount_minor, order.currency)} of order {order.number} is left. Refund what is left."
            )
        made = Refund.objects.create(
            order=order,
            request_key=key,
            status=Refund.Status.REQUESTED if is_card else Refund.Status.MADE,
            made_at=None if is_card else timezone.now(),
            amount_minor=amount,
            whole=amount == left.amount_minor,
            restock=restock,
            reason=reason[:300],
            requested_by=by[:150],
        )
        RefundLine.objects.bulk_create(
            RefundLine(refund=made, line_id=line.id, quantity=quantity) for line, quantity in chosen
        )
        if restock:
            take_in({line.sku: quantity for line, quantity in chosen})
        if order.status != OrderStatus.COMPLETED:
            issuing.issue([order_id])  # what came back is credited, so it is invoiced
        _move(made, order, chosen)
        issuing.credit([order_id])
    return made


def _on_its_way(order: Order) -> bool:
    """Whether the carrier has the parcel of an order that is not completed yet."""
    return order.status in FULFILLABLE_STATES and parcel_of(order) == Shipment.Status.BOOKED


def _chosen(left: Refundable, pieces: Mapping[int, int] | None) -> list[tuple[Line, int]]:
    if pieces is None:
        return [(line, line.left) for line in left.lines if line.left]
    lines = {line.id: line for line in left.lines}
    for line_id, quantity in pieces.items():
        line = lines.get(line_id)
        if line is None:
            raise NotRefundable("One of the lines is not of this order. Open the order's page again.")
        if not 0 <= quantity <= line.left:
            raise NotRefundable(
                f"{quantity} of {line.sku} cannot be refunded: {line.left} of {line.ordered} are left."
            )
    chosen = [(lines[line_id], quantity) for line_id, quantity in pieces.items() if quantity]
    if not chosen:
        raise NotRefundable("Nothing was chosen: say how many pieces of which line.")
    return chosen


def _move(made: Refund, order: Order, chosen: list[tuple[Line, int]]) -> None:
    what = ", ".join(f"{quantity} × {line.sku}" for line, quantity in chosen)
    detail = f"{format(made.amount_minor, order.currency)}: {what}"[:300]
    if made.whole:
        scheduling.advance({order.pk: detail}, [OrderStatus(order.status)], OrderStatus.REFUNDED, then="now")
        return
    OrderEvent.objects.create(order=order, kind=EventKind.PARTLY_REFUNDED, detail=detail)
    if made.status == Refund.Status.REQUESTED:
        scheduling.reopen([order.pk], [OrderStatus.COMPLETED])
