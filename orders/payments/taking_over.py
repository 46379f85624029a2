"""Takes into our books what left a charge without our asking: refunds made by hand at the provider, and disputes.

Whoever hears of such a thing (a report of the provider, the reconciler) has the order looked at (`look`), and
`payment.refund` reads the provider's refunds and disputes of that charge before it pays anything back. What our books
do not have is taken over here, once by the provider's own id:

- a refund by hand of just the amount that was promised keeps that promise: it is what the promise was about;
- else it is a refund of the order like any other: a row, the credit note, the event, and the order ends as refunded
  when nothing is left. What it leaves too little for, of promises that were made meanwhile, it keeps in part;
- a dispute stands in our books while it is open, and nothing is paid back meanwhile. Lost, it is taken over like a
  refund by hand. Won, the money is ours again, and nothing has happened.
"""

from collections.abc import Collection, Mapping, Sequence
from typing import LiteralString
from uuid import NAMESPACE_URL, uuid5

from django.conf import settings
from django.db.models import F, Sum
from django.db.models.functions import Now

from orders import scheduling, sql
from orders.invoices import issuing
from orders.models import Order, OrderEvent, Payment, Refund, RefundLine, Reversal
from orders.money import format
from orders.payments import keys
from orders.payments.gateway import Returned
from orders.states import END_STATES, FAILED_STATES, EventKind, OrderStatus

BY = "the payment provider"
_GIVEN_BACK, _OPEN, _WON = Reversal.Status.GIVEN_BACK, Reversal.Status.OPEN, Reversal.Status.WON

# Have the provider asked what it has given back of these payments. The time tells a later report from this one.
_LOOK: LiteralString = """
UPDATE orders_payment SET reported_at = clock_timestamp()
WHERE order_id = ANY(%(ids)s) AND reference <> '' AND captured_minor > 0 RETURNING order_id
"""
# Ended orders among these; one that is set aside waits for its person, and one under way is looked at anyway.
_RESTING: LiteralString = """
SELECT id FROM orders_order WHERE id = ANY(%(ids)s) AND due_at IS NULL AND ended_at IS NOT NULL
"""
# Those of the provider's refunds and disputes that our books do not have, or have otherwise, with their orders.
_UNKNOWN: LiteralString = """
SELECT p.order_id, found.reference
FROM unnest(%(references)s::text[], %(charges)s::text[], %(keys)s::text[], %(statuses)s::text[])
         AS found (reference, charge, key, status)
JOIN orders_payment p ON p.reference = found.charge AND found.charge <> ''
WHERE NOT starts_with(found.key, p.key || '-refund')
  AND NOT EXISTS (SELECT FROM orders_reversal v WHERE v.reference = found.reference AND v.status = found.status)
ORDER BY p.order_id, found.reference
"""
# What was read is answered, unless another report came meanwhile.
_LOOKED: LiteralString = """
UPDATE orders_payment SET reported_at = NULL WHERE order_id = %(order_id)s AND reported_at = %(reported_at)s
"""
# The money went back. A late worker marks nothing twice, and so adds nothing twice.
_MADE: LiteralString = """
WITH made AS (
    UPDATE orders_refund SET status = 'made', made_at = clock_timestamp()
    WHERE id = ANY(%(refunds)s) AND status = 'requested' RETURNING order_id, amount_minor
), sums AS (SELECT order_id, sum(amount_minor) AS amount FROM made GROUP BY order_id)
UPDATE orders_payment p
SET refunded_minor = refunded_minor + sums.amount, failures = 0, updated_at = now(),
    status = CASE WHEN refunded_minor + sums.amount + outside_minor = captured_minor THEN 'refunded' ELSE status END
FROM sums WHERE sums.order_id = p.order_id
"""
# Promise what was given back already, if so much is left.
_PROMISE: LiteralString = """
UPDATE orders_payment SET promised_minor = promised_minor + %(amount)s, updated_at = now()
WHERE order_id = %(order_id)s AND promised_minor + %(amount)s <= captured_minor
"""


def look(ids: Collection[int]) -> list[int]:
    """Have the provider asked what it has given back of these ended orders; returns those that this made due.

    Call it under the orders' locks.
    """
    asked = [order_id for (order_id,) in sql.rows(_LOOK, {"ids": list(ids)})]
    resting = [order_id for (order_id,) in sql.rows(_RESTING, {"ids": asked})]
    scheduling.reopen(resting, END_STATES)
    return resting


def looked(order_id: int, reported_at: object) -> None:
    """What was reported until then is taken over."""
    sql.count(_LOOKED, {"order_id": order_id, "reported_at": reported_at})


def unknown(found: Sequence[Returned]) -> dict[int, list[str]]:
    """The provider's ids of those that our books do not have as they are now, by order. Charges of others are none of
    ours."""
    orders: dict[int, list[str]] = {}
    params = {
        "references": [one.reference for one in found],
        "charges": [one.charge for one in found],
        "keys": [one.key for one in found],
        "statuses": [one.status for one in found],
    }
    for order_id, reference in sql.rows(_UNKNOWN, params):
        orders.setdefault(order_id, []).append(reference)
    return orders


def mark_made(refunds: Collection[int]) -> None:
    """These promises are kept."""
    if refunds:
        sql.count(_MADE, {"refunds": list(refunds)})


def take_over(order_id: int, found: Sequence[Returned]) -> None:
    """Bring our books of an ended order up to what the provider has given back. Call it under the order's lock."""
    order = Order.objects.get(pk=order_id)
    payment = Payment.objects.get(order=order)
    known = {one.reference: one for one in Reversal.objects.filter(order=order)}
    ours = {
        keys.promised_refund(payment.key, refund.pk, refusals): refund
        for refund in Refund.objects.filter(order=order)
        for refusals in range(refund.refusals + 1)
    }
    # Whoever asked for these died before the answer was written down.
    mark_made([ours[one.key].pk for one in found if one.key in ours])
    without_goods = order.status in FAILED_STATES
    for one in sorted(found, key=lambda one: one.reference):
        before = known.get(one.reference)
        if one.key in ours or (without_goods and keys.is_refund(payment.key, one.key)):
            continue
        if before is None or before.status != one.status:
            _note(order, one, before)


def share(amount: int, room: int, unpaid: Mapping[int, int]) -> tuple[int, dict[int, int]]:
    """What an amount that was given back is: a refund of its own, and parts of promises that are not paid yet.

    `room` is what is captured and not promised, `unpaid` what is left to pay of each promise by its id, in order. Just
    the amount of a promise is that promise. Anything else is a refund of its own as far as there is room, and the rest
    keeps promises, the eldest first. Pure.
    """
    for promise, left in unpaid.items():
        if left == amount:
            return 0, {promise: amount}
    own, parts = min(amount, room), {}
    rest = amount - own
    for promise, left in unpaid.items():
        if part := min(left, rest):
            parts[promise] = part
            rest -= part
    return own, parts


def _note(order: Order, found: Returned, before: Reversal | None) -> None:
    """Write down a refund by hand or what a dispute is now, and credit what has been given back."""
    kind = Reversal.Kind.DISPUTE if found.is_dispute else Reversal.Kind.REFUND
    changed = {
        "status": Reversal.Status(found.status),
        "amount_minor": found.amount_minor,
        "changed_at": Now(),
    }
    if before is None:
        row = Reversal.objects.create(order=order, kind=kind, reference=found.reference, **changed)
    elif Reversal.objects.filter(pk=before.pk, status=before.status).update(**changed):
        row = before
    else:
        return
    amount = format(found.amount_minor, order.currency)
    if found.status == _GIVEN_BACK and order.status not in FAILED_STATES:
        refund = _credit(order, found)
        Reversal.objects.filter(pk=row.pk).update(refund=refund)
    elif found.status == _OPEN:
        _log(order, EventKind.DISPUTED, f"{amount}: the bank holds the money ({found.reference})")
    elif found.status == _WON and before is not None:
        _log(order, EventKind.DISPUTE_WON, f"{amount} stay with the shop ({found.reference})")


def _credit(order: Order, found: Returned) -> Refund | None:
    """The refund in our books that this is; None when more was given back than was captured."""
    payment = Payment.objects.get(order=order)
    promises = Refund.objects.filter(order=order, status=Refund.Status.REQUESTED).order_by("id")
    unpaid = {promise.pk: promise.amount_minor - promise.found_minor for promise in promises}
    own, parts = share(found.amount_minor, payment.captured_minor - payment.promised_minor, unpaid)
    for promise, part in parts.items():
        Refund.objects.filter(pk=promise).update(found_minor=F("found_minor") + part)
    mark_made([promise for promise, part in parts.items() if part == unpaid[promise]])
    if own:
        return _refund(order, found, own, whole=own == payment.captured_minor - payment.promised_minor)
    return Refund.objects.filter(pk=min(parts)).get() if parts else None


def _refund(order: Order, found: Returned, amount: int, *, whole: bool) -> Refund:
    """A refund of the order that was made elsewhere, with its credit note; all that was left ends the order."""
    words = "taken back by the bank" if found.is_dispute else "given back at the payment provider"
    if not sql.count(_PROMISE, {"order_id": order.pk, "amount": amount}):
        raise RuntimeError(
            f"{amount} of order {order.number} cannot be promised: somebody wrote without its lock."
        )
    refund = Refund.objects.create(
        order=order,
        request_key=str(uuid5(NAMESPACE_URL, f"{settings.PAYMENT_GATEWAY}:{found.reference}")),
        amount_minor=amount,
        found_minor=amount,
        whole=whole,
        restock=False,
        reason=f"{words.capitalize()} ({found.reference})"[:300],
        requested_by=BY,
        asked_at=Now(),
    )
    if whole:
        _say_which_pieces(refund)
    mark_made([refund.pk])
    issuing.credit([order.pk])
    detail = f"{format(amount, order.currency)}: {words}"
    if whole:
        scheduling.advance({order.pk: detail}, [OrderStatus.COMPLETED], OrderStatus.REFUNDED, then="now")
    else:
        _log(order, EventKind.PARTLY_REFUNDED, detail)
    return refund


def _say_which_pieces(refund: Refund) -> None:
    """All that is left of the order's lines, if its price is what was refunded; else no pieces explain the amount."""
    lines = refund.order.lines.annotate(back=Sum("refunded__quantity", default=0))
    left = [(line, line.quantity - line.back) for line in lines if line.quantity > line.back]
    if sum(line.unit_price_minor * pieces for line, pieces in left) == refund.amount_minor:
        RefundLine.objects.bulk_create(
            RefundLine(refund=refund, line=line, quantity=pieces) for line, pieces in left
        )


def _log(order: Order, kind: EventKind, detail: str) -> None:
    OrderEvent.objects.create(order=order, kind=kind, detail=detail[:300])
