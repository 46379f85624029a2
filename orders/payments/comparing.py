"""Whether a charge at the provider and the order in our books agree, and where they differ. Pure.

An order that has work to do, and anything that changed within the last minutes, is under way: that is no difference.
"""

import re
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from orders.models import Finding
from orders.models.order import id_of_exactly, number_of
from orders.money import format
from orders.payments import keys
from orders.payments.gateway import Listed
from orders.states import WITHOUT_GOODS, OrderStatus

# Longer than any call takes, and than a lease takes to run out.
SETTLE = timedelta(minutes=2)


@dataclass(frozen=True, slots=True)
class Books:
    """What our books say of an order and its payment; amounts in minor units. `scheduled`: it has work to do. Of what
    was given back, `disputed_minor` went by disputes, which a provider does not count as refunds; `outside_minor` went
    another way (orders.settling), of which a provider knows nothing, and is no part of `refunded_minor`."""

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
    disputed_minor: int = 0
    outside_minor: int = 0

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
_KEY = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}-charge")


def compare(charge: Listed, ours: Books | None, now: datetime) -> Difference | str | None:
    """None when the two agree, UNDER_WAY when it is too early to say, or the difference."""
    intent = charge.intent
    if charge.created_at > now - SETTLE:
        return UNDER_WAY
    if ours is None:
        if not is_marked_as_ours(charge):
            return None
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
    elsewhere = ours.disputed_minor + ours.outside_minor
    if ours.status in WITHOUT_GOODS and (intent.left_minor > elsewhere or intent.held):
        return _holds(charge, ours)
    return _amounts(charge, ours)


def is_marked_as_ours(charge: Listed) -> bool:
    """Whether a shop like this one made it. What others charge on the same account is none of our business, whatever
    they call their orders. A charge of which nobody looked up the key was found by a row of ours."""
    key = charge.key
    return key is None or bool(_KEY.fullmatch(key)) or id_of_exactly(charge.order_number) is not None


def _unexpected(charge: Listed, kind: Finding.Kind, order_id: int | None, whom: str) -> Difference | None:
    left = charge.intent.left_minor
    if not left:
        return None
    detail = f"{format(left, charge.currency)} are captured for {whom}. Find out who charged this, and refund it there."
    return Difference(kind, charge.intent.reference, order_id, charge.currency, 0, left, detail)


def _holds(charge: Listed, ours: Books) -> Difference:
    intent = charge.intent
    left = intent.left_minor - ours.disputed_minor - ours.outside_minor
    missing = ours.refunded_minor > intent.refunded_minor + ours.disputed_minor
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
        ours.captured_minor - ours.refunded_minor - ours.outside_minor,
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
    mine, theirs, verb, mends = ours.captured_minor, intent.captured_minor, "captured", False
    if mine > theirs:
        kind = kinds.CAPTURE_MISSING
        advice = "Find the charge in the provider's dashboard before the goods leave."
    elif mine < theirs or ours.currency != charge.currency:
        kind = kinds.AMOUNT_DIFFERS
        advice = "Replay the order's dead letter if it has one; refund what is too much there."
    else:
        mine, theirs, verb = ours.refunded_minor, intent.refunded_minor + ours.disputed_minor, "given back"
        if mine == theirs:
            return None
        if mine > theirs:
            kind = kinds.REFUND_MISSING
            advice = "Make it there by hand: the buyer was promised it."
        else:
            kind = kinds.REFUND_UNKNOWN
            mends, advice = _unknown_refund(ours)
    detail = (
        f"Of order {ours.number} {format(mine, ours.currency)} are {verb} in our books, and "
        f"{format(theirs, charge.currency)} at the provider. {advice}"
    )
    return Difference(kind, intent.reference, ours.order_id, charge.currency, mine, theirs, detail, mends)


def _unknown_refund(ours: Books) -> tuple[bool, str]:
    """Whether what was given back there can be taken over, and what a person is to know."""
    if ours.refunded_minor + ours.outside_minor == ours.captured_minor:
        return False, "That is more than was captured: settle it with the buyer, and close this."
    if ours.ended:
        return True, "It is taken over: do not give it back once more."
    return False, "It is taken over when the order has ended: replay its dead letter, or cancel it."
