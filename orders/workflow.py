"""What is done about an order: every step in one table, and `remaining`, which names what is left to do.

Pure: no Celery and no database. A fresh order, one whose worker died, and one that a person replays all come through
`remaining`. Losing a chain of tasks is harmless: the order falls due again, and `remaining` says what is missing.
"""

from collections.abc import Callable, Collection
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from typing import LiteralString, NamedTuple, cast

from django.utils.module_loading import import_string

from orders.providers.failures import Outcome
from orders.retry import RetryPolicy
from orders.states import WITHOUT_GOODS, Channel, OrderStatus, PaymentMethod, Provider


@dataclass(frozen=True, slots=True)
class Facts:
    """What an order has and lacks. `done` are the steps whose row in `STEPS` says that they are."""

    order_id: int
    status: OrderStatus
    payment_method: PaymentMethod
    done: frozenset["Step"] = frozenset()
    holds_stock: bool = False
    holds_money: bool = False
    owes_refund: bool = False


class Step(StrEnum):
    """Each step is the task of that name; the name begins with its queue's."""

    RESERVE = "inventory.reserve"
    CHARGE = "payment.charge"
    EMAIL = "email.send"
    SMS = "sms.send"
    INVOICE = "inventory.invoice"
    SHIP = "shipping.book"
    COMPLETE = "inventory.complete"
    RELEASE = "inventory.release"
    REFUND = "payment.refund"
    CLOSE = "inventory.close"

    @property
    def queue(self) -> str:
        return self.value.partition(".")[0]


class Record(NamedTuple):
    """Where a step writes what it asked a provider for, and how often that failed in a row.

    `key` is the column by which failures are counted, `open` the condition for a row that still waits for its answer.
    """

    table: LiteralString
    key: LiteralString = "order_id"
    open: LiteralString = "status = 'requested'"


PAYMENT = Record("orders_payment", open="true")
SHIPMENT = Record("orders_shipment")
EMAIL = Record("orders_notification", "id", "status = 'requested' AND channel = 'email'")
SMS = Record("orders_notification", "id", "status = 'requested' AND channel = 'sms'")


@dataclass(frozen=True, slots=True)
class StepSpec:
    """All there is to know about a step.

    work      the function that does it for a batch of order ids, as a dotted path: a process loads what it needs
    doing     within a sentence: "is parked for charging it"
    retry     when a failure is tried again
    provider  whom it calls; its breaker parks the step's orders
    record    the row that counts its failures, and where they are uncounted when the provider was known to be away
    channel   of a message that the order can do without: given up, it leaves a dead letter and the order goes on
    leads_on  the order's status changes with it, and there is more to do
    done      SQL of `orders_order o`: whether it is done, where the status does not say so. `messages` are those
              that the orders' present states call for (`orders/facts.py`)
    """

    work: str
    doing: str
    retry: RetryPolicy
    provider: Provider | None = None
    record: Record | None = None
    channel: Channel | None = None
    leads_on: bool = False
    done: LiteralString | None = None


# Payments and parcels are tried for a day; a message to the customer is soon stale. Short database work waits for no
# provider: when it fails, it is our own database, or a bug.
_SHORT = RetryPolicy(base=1, ceiling=60, failures=10, deadline=timedelta(hours=1))
_PROVIDER = RetryPolicy(base=1, ceiling=600, failures=300, deadline=timedelta(hours=24))
_EMAIL = RetryPolicy(base=2, ceiling=900, failures=60, deadline=timedelta(hours=6))
_SMS = RetryPolicy(base=2, ceiling=900, failures=30, deadline=timedelta(hours=3))

STEPS: dict[Step, StepSpec] = {
    Step.RESERVE: StepSpec("orders.inventory.reserve", "reserving its stock", _SHORT, leads_on=True),
    Step.CHARGE: StepSpec(
        "orders.payments.charging.charge", "charging it", _PROVIDER, Provider.PAYMENTS, PAYMENT, leads_on=True
    ),
    Step.EMAIL: StepSpec(
        "orders.notifications.email.mail",
        "sending the e-mail",
        _EMAIL,
        Provider.MAIL,
        EMAIL,
        Channel.EMAIL,
        done="EXISTS (SELECT FROM messages m WHERE m.order_id = o.id AND m.channel = 'email')",
    ),
    Step.SMS: StepSpec(
        "orders.notifications.sms.text",
        "sending the SMS",
        _SMS,
        Provider.SMS,
        SMS,
        Channel.SMS,
        done="EXISTS (SELECT FROM messages m WHERE m.order_id = o.id AND m.channel = 'sms')",
    ),
    Step.INVOICE: StepSpec(
        "orders.invoices.issuing.issue",
        "issuing the invoice",
        _SHORT,
        done="EXISTS (SELECT FROM orders_document d WHERE d.order_id = o.id AND d.kind = 'invoice')",
    ),
    Step.SHIP: StepSpec(
        "orders.shipping.booking.book",
        "booking the parcel",
        _PROVIDER,
        Provider.CARRIER,
        SHIPMENT,
        done="EXISTS (SELECT FROM orders_shipment s WHERE s.order_id = o.id AND s.status = 'booked')",
    ),
    Step.COMPLETE: StepSpec("orders.closing.complete", "completing it", _SHORT),
    Step.RELEASE: StepSpec("orders.inventory.release", "putting its stock back", _SHORT),
    Step.REFUND: StepSpec(
        "orders.payments.refunding.refund", "giving the money back", _PROVIDER, Provider.PAYMENTS, PAYMENT
    ),
    Step.CLOSE: StepSpec("orders.closing.close", "closing it", _SHORT),
}

Work = Callable[[Collection[int]], Outcome | list[int]]


def work_of(step: Step) -> Work:
    """The function that does the step."""
    return cast(Work, import_string(STEPS[step].work))


# Of `orders_order o`, whose status is none of `placed` and `awaiting_payment`: paid, or to be paid at the door. Before
# that there is no message, no invoice and no parcel.
FULFILLABLE: LiteralString = "(o.status <> 'reserved' OR o.payment_method = 'cod')"

# Steps one after the other; a tuple within is a group whose steps go side by side.
Plan = tuple[Step | tuple[Step, ...], ...]

SIDE_BY_SIDE = (Step.EMAIL, Step.SMS, Step.INVOICE, Step.SHIP)


def remaining(facts: Facts) -> Plan:
    """What is left to do for an order, () if nothing."""
    if facts.status in WITHOUT_GOODS:
        return _clearing_up(facts)
    if facts.status == OrderStatus.COMPLETED:
        # A part was promised back, or a message was given up and is replayed.
        return (Step.REFUND, *(_messages(facts) or (Step.CLOSE,))) if facts.owes_refund else _messages(facts)
    undone = tuple(step for step in SIDE_BY_SIDE if step not in facts.done)
    fulfil: Plan = (undone, Step.COMPLETE) if undone else (Step.COMPLETE,)
    if facts.status == OrderStatus.PAID:
        return fulfil
    charge: Plan = (Step.CHARGE,) if facts.payment_method == PaymentMethod.CARD else ()
    if facts.status == OrderStatus.PLACED:
        return (Step.RESERVE, *charge, *fulfil)
    return (*charge, *fulfil)


def _clearing_up(facts: Facts) -> Plan:
    plan: list[Step | tuple[Step, ...]] = []
    if facts.holds_stock and facts.status != OrderStatus.REFUNDED:
        plan.append(Step.RELEASE)
    if facts.holds_money or facts.owes_refund:
        plan.append(Step.REFUND)
    return (*plan, *(_messages(facts) or (Step.CLOSE,)))


def _messages(facts: Facts) -> Plan:
    """Send what the customer has not got yet, and close; () when all is sent."""
    unsent = tuple(step for step in (Step.EMAIL, Step.SMS) if step not in facts.done)
    return (unsent, Step.CLOSE) if unsent else ()


def steps(plan: Plan) -> tuple[Step, ...]:
    """All steps of a plan, those of its groups too."""
    return tuple(step for part in plan for step in (part if isinstance(part, tuple) else (part,)))


def first(plan: Plan) -> tuple[Step, ...]:
    """The steps that a plan begins with, side by side; () of an empty plan."""
    return steps(plan[:1])
