"""The states of an order, the steps between them that are legal, and the event that each step writes.

Pure data: the audit replays an order's events against it, and property tests walk it.
"""

from collections.abc import Set

from django.db.models import TextChoices


class OrderStatus(TextChoices):
    PLACED = "placed", "Placed"
    RESERVED = "reserved", "Stock reserved"
    AWAITING_PAYMENT = "awaiting_payment", "Awaiting payment"
    PAID = "paid", "Paid"
    COMPLETED = "completed", "Completed"
    OUT_OF_STOCK = "out_of_stock", "Out of stock"
    PAYMENT_DECLINED = "payment_declined", "Payment declined"
    CANCELLED = "cancelled", "Cancelled"
    REFUNDED = "refunded", "Refunded"


class EventKind(TextChoices):
    PLACED = "order.placed", "Order placed"
    RESERVED = "order.reserved", "Stock reserved"
    AWAITING_PAYMENT = "order.awaiting_payment", "Waiting for your bank"
    PAID = "order.paid", "Payment received"
    SHIPPED = "order.shipped", "Handed to the carrier"
    COMPLETED = "order.completed", "Order completed"
    OUT_OF_STOCK = "order.out_of_stock", "Out of stock"
    PAYMENT_DECLINED = "order.payment_declined", "Payment declined"
    CANCELLED = "order.cancelled", "Order cancelled"
    REFUNDED = "order.refunded", "Order refunded"
    PARTLY_REFUNDED = "order.partly_refunded", "Part of it refunded"
    DISPUTED = "order.disputed", "Disputed with the bank"
    DISPUTE_WON = "order.dispute_won", "Dispute settled"
    DEAD_LETTERED = "order.dead_lettered", "Set aside for a person"
    REPLAYED = "order.replayed", "Taken up again"
    REDIRECTED = "order.redirected", "Delivery address corrected"
    SETTLED = "order.settled", "Money given back another way"


class PaymentMethod(TextChoices):
    CARD = "card", "Card"
    COD = "cod", "Cash on delivery"


class Channel(TextChoices):
    """How a message reaches the customer."""

    EMAIL = "email", "E-mail"
    SMS = "sms", "SMS"


class Provider(TextChoices):
    """Whom a step calls."""

    PAYMENTS = "payments", "Payment provider"
    CARRIER = "carrier", "Carrier"
    MAIL = "mail", "Mail server"
    SMS = "sms", "SMS gateway"


# Ends that hold neither stock nor money and have no shipment.
FAILED_STATES = frozenset({OrderStatus.OUT_OF_STOCK, OrderStatus.PAYMENT_DECLINED, OrderStatus.CANCELLED})
# Ends in which the shop keeps none of the buyer's money.
WITHOUT_GOODS = FAILED_STATES | {OrderStatus.REFUNDED}
END_STATES = WITHOUT_GOODS | {OrderStatus.COMPLETED}
# Paid, or reserved and to be paid at the door (which orders.workflow.FULFILLABLE checks).
FULFILLABLE_STATES = frozenset({OrderStatus.RESERVED, OrderStatus.PAID})

# The states that an order may go to from each. Cash on delivery goes from reserved to completed; a parcel that comes
# back before its order is completed makes it refunded.
STEPS: dict[OrderStatus, Set[OrderStatus]] = {
    **dict.fromkeys(END_STATES, frozenset()),
    OrderStatus.PLACED: {OrderStatus.RESERVED, OrderStatus.OUT_OF_STOCK, OrderStatus.CANCELLED},
    OrderStatus.RESERVED: {
        OrderStatus.PAID,
        OrderStatus.AWAITING_PAYMENT,
        OrderStatus.PAYMENT_DECLINED,
        OrderStatus.COMPLETED,
        OrderStatus.CANCELLED,
        OrderStatus.REFUNDED,
    },
    OrderStatus.AWAITING_PAYMENT: {OrderStatus.PAID, OrderStatus.PAYMENT_DECLINED, OrderStatus.CANCELLED},
    OrderStatus.PAID: {OrderStatus.COMPLETED, OrderStatus.CANCELLED, OrderStatus.REFUNDED},
    OrderStatus.COMPLETED: {OrderStatus.REFUNDED},
}

CANCELLABLE_STATES = frozenset(state for state, targets in STEPS.items() if OrderStatus.CANCELLED in targets)

# The state that an event says the order is in from then on; events that are not here change no state.
STATE_AFTER: dict[EventKind, OrderStatus] = {
    EventKind(f"order.{status.value}"): status for status in OrderStatus
}
