"""Whether a charge at the provider and the order in our books agree, and where they differ. Pure.

An order that has work to do, and anything that changed within the last minutes, is under way: that is no difference.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from orders.models import Finding
from orders.models.order import number_of
from orders.money import format
from orders.payments import keys
from orders.payments.gateway import Listed
from orders.states import WITHOUT_GOODS, OrderStatus

# Longer than any call takes, and than a lease takes to run out.
SETTLE = timedelta(minutes=2)


@dataclass(frozen=True, slots=True)
class Books:
    """What our books say of an order and its payment; amounts in minor units. `scheduled`: it has work to do."""

    order_id: int
    status: OrderStatus
    scheduled: bool
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

    def under_way(self, now: datetime) -> bool:
        return self.scheduled or self.changed_at > now - SETTLE


@dataclass(frozen=True, slots=True)
class Difference:
    """What the two do not agree on, in words. `mends`: looking at the order again puts it right."""

    kind: Finding.Kind
    reference: str
    order_id: int | None
    currency: str
    ours_minor: int
    theirs_minor: int
    detail: str
    mends: bool = False


UNDER_WAY = "under way"


def compare(charge: Listed, ours: Books | None, now: datetime) -> Difference | str | None:
    """None when the two agree, UNDER_WAY when it is too early to say, or the difference."""
    intent = charge.intent
    if charge.created_at > now - SETTLE:
        return UNDER_WAY
    if ours is None:
        return _unexpected(charge, Finding.Kind.UNKNOWN_CHARGE, None, "no order of ours")
    if ours.under_way(now):
        return UNDER_WAY
    is_the_orders_own = (
        ours.reference == intent.reference
        if ours.reference
        else ours.key is not None and charge.key in (None, keys.key(ours.key, "charge"))
    )
    if not is_the_orders_own:
        return _unexpected(
            charge, Finding.Kind.SECOND_CHARGE, ours.order_id, f"order {ours.number} once more"
        )
    if ours.status in WITHOUT_GOODS and (intent.left_minor or intent.held):
        return _holds(charge, ours)
    return _amounts(charge, ours)


def _unexpected(charge: Listed, kind: Finding.Kind, order_id: int | None, whom: str) -> Difference | None:
    left = charge.intent.left_minor
    if not left:
        return None
    detail = f"{format(left, charge.currency)} are captured for {whom}. Find out who charged this, and refund it there."
    return Difference(kind, charge.intent.reference, order_id, charge.currency, 0, left, detail)


def _holds(charge: Listed, ours: Books) -> Difference:
    intent, left = charge.intent, charge.intent.left_minor
    missing = ours.refunded_minor > intent.refunded_minor
    books = (
        f"our books say that {format(ours.refunded_minor, ours.currency)} were given back"
        if missing
        else "our books know nothing of it"
    )
    return Difference(
        Finding.Kind.REFUND_MISSING if missing else Finding.Kind.CHARGE_HELD,
        intent.reference,
        ours.order_id,
        charge.currency,
        ours.captured_minor - ours.refunded_minor,
        left,
        f"Order {ours.number} is {ours.status.label.lower()}, but the provider holds "
        f"{format(left, charge.currency) if left else 'the card'}; {books}. "
        "Replay its dead letter, or refund it there.",
        # An order with a dead letter waits for a person and is left to them.
        mends=ours.ended
        and charge.currency == ours.currency
        and ours.promised_minor <= intent.captured_minor,
    )


def _amounts(charge: Listed, ours: Books) -> Difference | None:
    intent, kinds = charge.intent, Finding.Kind
    mine, theirs, verb = ours.captured_minor, intent.captured_minor, "captured"
    if mine > theirs:
        kind = kinds.CAPTURE_MISSING
        advice = "Find the charge in the provider's dashboard before the goods leave."
    elif mine < theirs or ours.currency != charge.currency:
        kind = kinds.AMOUNT_DIFFERS
        advice = "Replay the order's dead letter if it has one; refund what is too much there."
    elif ours.refunded_minor == intent.refunded_minor:
        return None
    else:
        mine, theirs, verb = ours.refunded_minor, intent.refunded_minor, "refunded"
        if mine > theirs:
            kind = kinds.REFUND_MISSING
            advice = "Make it there by hand: the buyer was promised it."
        else:
            kind = kinds.REFUND_UNKNOWN
            advice = "It was made there by hand. Refund in the admin instead, so that the order knows of it."
    detail = (
        f"Of order {ours.number} {format(mine, ours.currency)} are {verb} in our books, and "
        f"{format(theirs, charge.currency)} at the provider. {advice}"
    )
    return Difference(kind, intent.reference, ours.order_id, charge.currency, mine, theirs, detail)
