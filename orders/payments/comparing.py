"""Whether a charge at the provider and the order in our books agree, and in what not: a function of the two, pure.

What is under way is no difference: an order that is being driven, and anything that changed within the last minutes,
has an answer on its way.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from orders.models import Finding
from orders.models.order import number_of
from orders.money import format
from orders.payments.charging import charge_key
from orders.payments.gateway import Intent
from orders.states import FAILED_STATES, OrderStatus

# Longer than any call lives, and than a lease takes to run out.
SETTLE = timedelta(minutes=2)
# Ends that hold no money.
WITHOUT_GOODS = (*FAILED_STATES, OrderStatus.REFUNDED)


@dataclass(frozen=True, slots=True)
class Charge:
    """A charge as the provider has it now. `key` is what we made it with, None where that is not known."""

    intent: Intent
    currency: str
    created_at: datetime
    key: str | None


@dataclass(frozen=True, slots=True)
class Books:
    """What our books say of an order and its payment. Amounts in minor units."""

    order_id: int
    status: OrderStatus
    driven: bool
    ended: bool
    currency: str
    key: UUID | None
    reference: str
    captured_minor: int
    refunded_minor: int
    promised_minor: int
    changed_at: datetime

    @property
    def number(self) -> str:
        return number_of(self.order_id)


@dataclass(frozen=True, slots=True)
class Difference:
    """What the two do not agree on, in words. `mends`: driving the order again puts it right."""

    kind: Finding.Kind
    reference: str
    order_id: int | None
    currency: str
    ours_minor: int
    theirs_minor: int
    detail: str
    mends: bool = False


UNDER_WAY = "under way"


def compare(charge: Charge, ours: Books | None, now: datetime) -> Difference | str | None:
    """None when the two agree, UNDER_WAY when nobody can say yet, or how they differ."""
    intent = charge.intent
    if charge.created_at > now - SETTLE:
        return UNDER_WAY
    left = intent.captured_minor - intent.refunded_minor
    if ours is None:
        return _alone(charge, Finding.Kind.UNKNOWN_CHARGE, None, "no order of ours") if left else None
    if ours.driven or ours.changed_at > now - SETTLE:
        return UNDER_WAY
    is_the_orders_own = (
        ours.reference == intent.reference
        if ours.reference
        else ours.key is not None and charge.key in (None, charge_key(ours.key))
    )
    if not is_the_orders_own:
        return (
            _alone(charge, Finding.Kind.SECOND_CHARGE, ours.order_id, f"order {ours.number} once more")
            if left
            else None
        )
    held = intent.status in ("authorised", "requires_action")
    if ours.status in WITHOUT_GOODS and (left or held):
        return _holds(charge, ours)
    return _amounts(charge, ours)


def _alone(charge: Charge, kind: Finding.Kind, order_id: int | None, whom: str) -> Difference:
    left = charge.intent.captured_minor - charge.intent.refunded_minor
    return Difference(
        kind,
        charge.intent.reference,
        order_id,
        charge.currency,
        0,
        left,
        f"{format(left, charge.currency)} are captured for {whom}. Find out who charged this, and refund it there.",
    )


def _holds(charge: Charge, ours: Books) -> Difference:
    intent, currency = charge.intent, charge.currency
    left = intent.captured_minor - intent.refunded_minor
    missing = ours.refunded_minor > intent.refunded_minor
    said = (
        f"our books say that {format(ours.refunded_minor, ours.currency)} were given back"
        if missing
        else "our books know nothing of it"
    )
    return Difference(
        Finding.Kind.REFUND_MISSING if missing else Finding.Kind.CHARGE_HELD,
        intent.reference,
        ours.order_id,
        currency,
        ours.captured_minor - ours.refunded_minor,
        left,
        f"Order {ours.number} is {ours.status.label.lower()}, but the provider holds "
        f"{format(left, currency) if left else 'the card'}; {said}. Replay its dead letter, or refund it there.",
        # One that waits for a person is left to that person.
        mends=ours.ended and currency == ours.currency and ours.promised_minor <= intent.captured_minor,
    )


def _amounts(charge: Charge, ours: Books) -> Difference | None:
    intent = charge.intent

    def differs(kind: Finding.Kind, mine: int, theirs: int, verb: str, then: str) -> Difference:
        detail = (
            f"Of order {ours.number} {format(mine, ours.currency)} are {verb} in our books, and "
            f"{format(theirs, charge.currency)} at the provider. {then}"
        )
        return Difference(kind, intent.reference, ours.order_id, charge.currency, mine, theirs, detail)

    if ours.captured_minor > intent.captured_minor:
        return differs(
            Finding.Kind.CAPTURE_MISSING,
            ours.captured_minor,
            intent.captured_minor,
            "captured",
            "Find the charge in the provider's dashboard before the goods leave.",
        )
    if ours.captured_minor < intent.captured_minor or ours.currency != charge.currency:
        return differs(
            Finding.Kind.AMOUNT_DIFFERS,
            ours.captured_minor,
            intent.captured_minor,
            "captured",
            "Replay the order's dead letter if it has one; refund what is too much there.",
        )
    if ours.refunded_minor != intent.refunded_minor:
        missing = ours.refunded_minor > intent.refunded_minor
        return differs(
            Finding.Kind.REFUND_MISSING if missing else Finding.Kind.REFUND_UNKNOWN,
            ours.refunded_minor,
            intent.refunded_minor,
            "refunded",
            "Make it there by hand; the buyer was told of it."
            if missing
            else "It was made there by hand; refund at this desk instead, so that the order knows of it.",
        )
    return None
