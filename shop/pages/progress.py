"""The order as its buyer reads it: how far it has come, what is said about it, what can be done now.

Pure functions of the order's rows, without a query of their own.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from orders.models import Order, OrderEvent, Payment, Shipment
from orders.states import END_STATES, FAILED_STATES, EventKind, OrderStatus, PaymentMethod


@dataclass(frozen=True, slots=True)
class Step:
    name: str
    state: str  # done, current, waiting, failed
    at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Progress:
    headline: str
    explanation: str
    detail: str  # what the step itself had to say, such as the bank's reason; may be empty
    steps: Sequence[Step]
    ended: bool
    version: str  # differs whenever anything shown here differs


_ROAD = (
    (EventKind.PLACED, "Placed"),
    (EventKind.RESERVED, "Stock reserved"),
    (EventKind.PAID, "Paid"),
    (EventKind.SHIPPED, "Shipped"),
    (EventKind.COMPLETED, "Completed"),
)
_FAILED_AS = {
    OrderStatus.OUT_OF_STOCK: (EventKind.OUT_OF_STOCK, "Out of stock"),
    OrderStatus.PAYMENT_DECLINED: (EventKind.PAYMENT_DECLINED, "Payment declined"),
    OrderStatus.CANCELLED: (EventKind.CANCELLED, "Cancelled"),
    OrderStatus.REFUNDED: (EventKind.REFUNDED, "Refunded"),
}
_SAID: dict[str, tuple[str, str]] = {
    OrderStatus.PLACED: ("Thank you, we have your order", "We are setting your goods aside."),
    OrderStatus.RESERVED: ("Your goods are set aside", "Next we ask your bank for the payment."),
    OrderStatus.AWAITING_PAYMENT: (
        "Your bank asks you to confirm",
        "Open your bank's page to approve the payment. Your goods stay set aside meanwhile.",
    ),
    OrderStatus.PAID: ("Paid, thank you", "We are packing it and handing it to the carrier."),
    OrderStatus.COMPLETED: ("All done, it is on its way", "Your confirmation is in your inbox."),
    OrderStatus.OUT_OF_STOCK: (
        "Sorry, others were faster",
        "There is not enough left to send what you ordered. You have not been charged.",
    ),
    OrderStatus.PAYMENT_DECLINED: (
        "Your bank declined the payment",
        "You have not been charged. You can try again with another card: your goods and address are kept.",
    ),
    OrderStatus.CANCELLED: (
        "This order is cancelled",
        "Nothing will be sent. If you have paid already, the money goes back to your card.",
    ),
    OrderStatus.REFUNDED: ("Your money is on its way back", "Your bank shows it within a few days."),
}
_COD_RESERVED = ("Your goods are set aside", "We are handing them to the carrier. You pay at your door.")
_COD_REFUNDED = (
    "Your parcel came back",
    "There is nothing to pay for it. If you paid at the door, you get the money back the way you paid it.",
)
_SET_ASIDE = (
    "This takes longer than it should",
    "One of us is looking after your order. It is safe: please do not order again.",
)
_AT_THE_BANK = (EventKind.PAID, OrderStatus.AWAITING_PAYMENT)


def progress_of(
    order: Order,
    events: Sequence[OrderEvent],
    payment: Payment | None,
    shipment: Shipment | None,
    documents: int,
    successor: Order | None = None,
) -> Progress:
    """`events` in the order they happened."""
    last = events[-1] if events else None
    set_aside = last is not None and last.kind == EventKind.DEAD_LETTERED and order.status not in END_STATES
    headline, explanation = _SAID[order.status]
    if order.status == OrderStatus.RESERVED and order.payment_method == PaymentMethod.COD:
        headline, explanation = _COD_RESERVED
    if order.status == OrderStatus.REFUNDED and order.payment_method == PaymentMethod.COD:
        headline, explanation = _COD_REFUNDED
    if successor:
        if order.status == OrderStatus.PAYMENT_DECLINED:
            explanation = "You have not been charged for it."
        explanation += f" You have ordered again: order {successor.number} has taken its place."
    if set_aside:
        headline, explanation = _SET_ASIDE
    shown = (
        last.pk if last else 0,
        order.status,
        payment.status if payment else "",
        int(bool(payment and payment.action_url)),
        shipment.tracking_number if shipment else "",
        documents,
        int(order.due_at is None),
        successor.pk if successor else 0,
    )
    return Progress(
        headline=headline,
        explanation=explanation,
        detail=_detail(order, events),
        steps=_steps(order, events),
        ended=order.status in END_STATES and order.due_at is None,
        version=".".join(map(str, shown)),
    )


def _steps(order: Order, events: Sequence[OrderEvent]) -> list[Step]:
    """The road to completion with the times it took; an order that left the road ends with the step where it did."""
    times = {event.kind: event.at for event in reversed(events)}  # the first of a kind is kept
    paying = order.payment_method != PaymentMethod.COD
    road = [(kind, name) for kind, name in _ROAD if paying or kind != EventKind.PAID]
    if order.status in _FAILED_AS:
        kind, name = _FAILED_AS[OrderStatus(order.status)]
        done = [Step(passed, "done", times[reached]) for reached, passed in road if reached in times]
        return [*done, Step(name, "failed", times.get(kind))]
    if order.status == OrderStatus.COMPLETED:
        return [Step(name, "done", times.get(kind)) for kind, name in road]
    steps: list[Step] = []
    for kind, name in road:
        told = "Waiting for your bank" if (kind, order.status) == _AT_THE_BANK else name
        open_before = any(step.state != "done" for step in steps)
        state = "done" if kind in times else "waiting" if open_before else "current"
        steps.append(Step(told, state, times.get(kind)))
    return steps


def _detail(order: Order, events: Sequence[OrderEvent]) -> str:
    """What was written down when the order failed: the bank's reason, or what was short."""
    if order.status not in FAILED_STATES:
        return ""
    kind = _FAILED_AS[OrderStatus(order.status)][0]
    return next((event.detail for event in reversed(events) if event.kind == kind), "")
