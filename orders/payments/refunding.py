"""Giving money back: refunds that were promised, and all that an order without goods still holds.

**Promises** (orders.refunds) come first, each under a key of its own row. One that was asked before is first looked for
among the provider's refunds of that charge: so it is refunded once, however late the answer is.

**Orders that ended without goods** then have what is held voided, and what is left refunded. A payment that was asked
for without an answer is looked up. When the provider does not know it, the call may still be on its way: the payment
counts as void only when no such call can be alive any more.
"""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import LiteralString
from uuid import UUID

from django.db import transaction
from django.utils import timezone

from orders import sql
from orders.counting import count_failures
from orders.crashpoints import Point, reached
from orders.locking import lock_orders
from orders.payments import keys
from orders.payments.gateway import Intent, columns, gateway, unknown
from orders.providers.failures import NotNow, Outcome, ProviderError, Refused
from orders.providers.http import CALL_TIMEOUT, ask_all
from orders.states import END_STATES
from orders.workflow import PAYMENT

_NO_CALL_LIVES_LONGER = timedelta(seconds=2 * CALL_TIMEOUT)

# Payments that may have money to give back. A completed order gives back what was promised, and no more.
_OPEN: LiteralString = """
SELECT p.order_id, p.key, p.reference, p.status, p.requested_at, p.created_at, o.status <> 'completed'
FROM orders_payment p JOIN orders_order o ON o.id = p.order_id
WHERE p.order_id = ANY(%(ids)s) AND p.status NOT IN ('declined', 'voided', 'refunded')
  AND (o.status <> 'completed' OR p.order_id = ANY(%(promised)s))
ORDER BY p.order_id
"""
# Mark the promises of these orders as asked. Returns each order with the fields of _Promise.
_PROMISED: LiteralString = """
WITH promised AS (
    SELECT id, asked_at FROM orders_refund WHERE order_id = ANY(%(ids)s) AND status = 'requested'
)
UPDATE orders_refund r SET asked_at = coalesce(r.asked_at, now()) FROM promised WHERE promised.id = r.id
RETURNING r.order_id, r.id, r.amount_minor, r.refusals, promised.asked_at IS NOT NULL
"""
# The provider refused these: the next try needs a key of its own.
_REFUSED: LiteralString = """
UPDATE orders_refund SET refusals = refusals + 1 WHERE id = ANY(%(refunds)s) AND status = 'requested'
"""
# The money went back. A late worker marks nothing twice, and so adds nothing twice.
_MADE: LiteralString = """
WITH made AS (
    UPDATE orders_refund SET status = 'made', made_at = clock_timestamp()
    WHERE id = ANY(%(refunds)s) AND status = 'requested' RETURNING order_id, amount_minor
), sums AS (SELECT order_id, sum(amount_minor) AS amount FROM made GROUP BY order_id)
UPDATE orders_payment p
SET refunded_minor = refunded_minor + sums.amount, failures = 0, updated_at = now(),
    status = CASE WHEN refunded_minor + sums.amount = captured_minor THEN 'refunded' ELSE status END
FROM sums WHERE sums.order_id = p.order_id
"""
# Write what the provider holds now of orders that ended without goods.
_SETTLE: LiteralString = """
UPDATE orders_payment p
SET status = CASE WHEN step.captured > 0 AND step.refunded = step.captured THEN 'refunded' ELSE step.status END,
    reference = step.reference, captured_minor = step.captured, refunded_minor = step.refunded,
    failures = 0, updated_at = now(), hold_until = NULL
FROM unnest(%(ids)s::bigint[], %(statuses)s::text[], %(references)s::text[], %(captured)s::bigint[],
            %(refunded)s::bigint[]) AS step (order_id, status, reference, captured, refunded)
WHERE p.order_id = step.order_id AND p.status NOT IN ('declined', 'voided', 'refunded')
"""


@dataclass(frozen=True, slots=True)
class _Promise:
    id: int
    amount_minor: int
    refusals: int
    asked_before: bool


@dataclass(frozen=True, slots=True)
class _Open:
    """A payment with what is to be given back of it: the promises, and with `all_of_it` all that is left after them."""

    order_id: int
    key: UUID
    reference: str
    status: str
    requested_at: datetime | None
    begun_at: datetime
    all_of_it: bool
    promises: list[_Promise]


@dataclass(frozen=True, slots=True)
class _Answer:
    """What was done for one payment: promises kept, the one refused, the charge if it was settled, the error."""

    made: list[int]
    refused: int | None = None
    intent: Intent | None = None
    error: ProviderError | None = None


_NEVER_ASKED = Intent(reference="", status="voided")


def refund(ids: Collection[int]) -> Outcome:
    """Void or refund; `done` are all orders of the batch that owe no money now, cash on delivery included."""
    with transaction.atomic():
        held = lock_orders(ids, END_STATES)
        payments = _open(held)
        reached(Point.REFUND_BEFORE_ROW, ids)
    reached(Point.REFUND_AFTER_ROW, ids)
    answers, errors = ask_all(payments, _settle)
    reached(Point.REFUND_AFTER_CALL, ids)
    errors |= {order_id: answer.error for order_id, answer in answers.items() if answer.error}
    settled = {order_id: answer.intent for order_id, answer in answers.items() if answer.intent}
    made = [promise for answer in answers.values() for promise in answer.made]
    refused = [answer.refused for answer in answers.values() if answer.refused]
    with transaction.atomic():
        lock_orders(payments, END_STATES)
        if made:
            sql.count(_MADE, {"refunds": made})
        if refused:
            sql.count(_REFUSED, {"refunds": refused})
        sql.count(_SETTLE, columns(settled))
        failed = count_failures(PAYMENT, errors)
        reached(Point.REFUND_BEFORE_COMMIT, ids)
    reached(Point.REFUND_AFTER_COMMIT, ids)
    return Outcome([order_id for order_id in held if order_id not in errors], failed)


def _open(held: Collection[int]) -> dict[int, _Open]:
    promises: dict[int, list[_Promise]] = {}
    for order_id, *promise in sql.rows(_PROMISED, {"ids": list(held)}):
        promises.setdefault(order_id, []).append(_Promise(*promise))
    found = sql.rows(_OPEN, {"ids": list(held), "promised": list(promises)})
    return {row[0]: _Open(*(*row, promises.get(row[0], []))) for row in found}


async def _settle(payment: _Open) -> _Answer:
    made: list[int] = []
    asked = None
    try:
        for promise in payment.promises:
            asked = promise.id
            await _make(payment, promise)
            made.append(promise.id)
        asked = None
        return _Answer(made, intent=await _release(payment) if payment.all_of_it else None)
    except ProviderError as error:
        return _Answer(made, asked if isinstance(error, Refused) else None, error=error)


async def _make(payment: _Open, promise: _Promise) -> None:
    provider, reference = gateway(), payment.reference
    tried = [
        keys.promised_refund(payment.key, promise.id, refusals) for refusals in range(promise.refusals + 1)
    ]
    if promise.asked_before and any(made.key in tried for made in await provider.refunds(reference)):
        return
    await provider.refund(reference, promise.amount_minor, key=tried[-1])


async def _release(payment: _Open) -> Intent:
    provider = gateway()
    if payment.status == "pending":
        return _NEVER_ASKED
    intent = await provider.find(
        key=keys.key(payment.key, "charge"), reference=payment.reference, since=payment.begun_at
    )
    if intent is None:
        if payment.reference:
            raise Refused(unknown(payment.reference))
        if payment.requested_at and timezone.now() < payment.requested_at + _NO_CALL_LIVES_LONGER:
            raise NotNow(
                "the charge may still be on its way to the provider", _NO_CALL_LIVES_LONGER.total_seconds()
            )
        return _NEVER_ASKED
    if intent.held:
        intent = await provider.void(intent.reference, key=keys.key(payment.key, "void"))
    if intent.status == "captured" and (left := intent.left_minor):
        await provider.refund(intent.reference, left, key=keys.key(payment.key, "refund"))
        return Intent(intent.reference, "captured", intent.captured_minor, intent.captured_minor)
    return intent
