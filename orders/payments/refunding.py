"""Giving money back: what was promised of a completed order, and all that an order without goods still holds.

**Promises** (orders.refunds) come first, each under the key of its own row. One that was asked before is looked for
among the provider's refunds of that charge, so that it is made once however long the silence lasted. One that was
refused goes under a new key when a person has it tried again, for a provider says to a key again what it said before.

**Orders that ended without goods** then have what is held voided and what is left refunded. A payment that was asked
for without an answer is looked up. If the provider does not know it, the call may still be on its way: only when no
such call can be alive any more is the payment called void.
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
from orders.payments.charging import charge_key, unknown
from orders.payments.gateway import Intent, gateway
from orders.providers.failures import NotNow, Outcome, ProviderError, Refused
from orders.providers.http import CALL_TIMEOUT, client, each
from orders.states import OrderStatus
from orders.workflow import PAYMENT

REFUNDABLE = (
    OrderStatus.CANCELLED,
    OrderStatus.PAYMENT_DECLINED,
    OrderStatus.OUT_OF_STOCK,
    OrderStatus.REFUNDED,
    OrderStatus.COMPLETED,  # what was promised, and no more
)
_NO_CALL_LIVES_LONGER = timedelta(seconds=2 * CALL_TIMEOUT)

_OPEN: LiteralString = """
SELECT p.order_id, p.key, p.reference, p.status, p.requested_at, p.created_at, o.status <> 'completed'
FROM orders_payment p JOIN orders_order o ON o.id = p.order_id
WHERE p.order_id = ANY(%(ids)s) AND p.status NOT IN ('declined', 'voided', 'refunded')
  AND (o.status <> 'completed' OR p.order_id = ANY(%(promised)s))
ORDER BY p.order_id
"""
_PROMISED: LiteralString = """
WITH promised AS (
    SELECT id, asked_at FROM orders_refund WHERE order_id = ANY(%(ids)s) AND status = 'requested'
)
UPDATE orders_refund r SET asked_at = coalesce(r.asked_at, now()) FROM promised WHERE promised.id = r.id
RETURNING r.order_id, r.id, r.amount_minor, r.refusals, promised.asked_at IS NOT NULL
"""
_REFUSED: LiteralString = """
UPDATE orders_refund SET refusals = refusals + 1 WHERE id = ANY(%(refunds)s) AND status = 'requested'
"""
# A late worker marks nothing twice, and so adds nothing twice.
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
_SETTLE: LiteralString = """
UPDATE orders_payment p
SET status = step.status, reference = step.reference, captured_minor = step.captured, refunded_minor = step.refunded,
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
    """A payment with what is to be given back of it: the promises, and with `all_of_it` whatever is left then."""

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
    """How far one payment got: the promises that are made, the one that was refused, how the charge stands if it was to
    be settled, and what went wrong, if anything did."""

    made: list[int]
    refused: int | None = None
    intent: Intent | None = None
    error: ProviderError | None = None


_NEVER_ASKED = Intent(reference="", status="voided")


def refund(ids: Collection[int]) -> Outcome:
    """Void or refund; `done` are all orders of the batch that owe no money now, cash on delivery included."""
    with transaction.atomic():
        held = lock_orders(ids, REFUNDABLE)
        payments = _open(held)
        reached(Point.REFUND_BEFORE_ROW, ids)
    reached(Point.REFUND_AFTER_ROW, ids)
    answers = client().run(each(payments, _settle)) if payments else []
    reached(Point.REFUND_AFTER_CALL, ids)
    made: list[int] = []
    refused: list[int] = []
    settled: dict[int, Intent] = {}
    errors: dict[int, ProviderError] = {}
    for payment, answer in zip(payments, answers, strict=True):
        if isinstance(answer, ProviderError):
            errors[payment.order_id] = answer
            continue
        made += answer.made
        refused += [answer.refused] if answer.refused else []
        if answer.intent:
            settled[payment.order_id] = answer.intent
        if answer.error:
            errors[payment.order_id] = answer.error
    with transaction.atomic():
        lock_orders([payment.order_id for payment in payments], REFUNDABLE)
        if made:
            sql.count(_MADE, {"refunds": made})
        if refused:
            sql.count(_REFUSED, {"refunds": refused})
        _write(settled)
        failed = count_failures(PAYMENT, errors)
        reached(Point.REFUND_BEFORE_COMMIT, ids)
    reached(Point.REFUND_AFTER_COMMIT, ids)
    return Outcome([order_id for order_id in held if order_id not in errors], failed)


def _open(held: Collection[int]) -> list[_Open]:
    promises: dict[int, list[_Promise]] = {}
    for order_id, *promise in sql.rows(_PROMISED, {"ids": list(held)}):
        promises.setdefault(order_id, []).append(_Promise(*promise))
    found = sql.rows(_OPEN, {"ids": list(held), "promised": list(promises)})
    return [_Open(*(*row, promises.get(row[0], []))) for row in found]


def _write(settled: dict[int, Intent]) -> None:
    sql.count(
        _SETTLE,
        {
            "ids": list(settled),
            "statuses": [_status(intent) for intent in settled.values()],
            "references": [intent.reference for intent in settled.values()],
            "captured": [intent.captured_minor for intent in settled.values()],
            "refunded": [intent.refunded_minor for intent in settled.values()],
        },
    )


def _status(intent: Intent) -> str:
    return (
        "refunded"
        if intent.captured_minor and intent.refunded_minor == intent.captured_minor
        else intent.status
    )


async def _settle(payment: _Open) -> _Answer:
    made: list[int] = []
    for promise in payment.promises:
        try:
            await _make(payment, promise)
        except ProviderError as error:
            return _Answer(made, promise.id if isinstance(error, Refused) else None, error=error)
        made.append(promise.id)
    try:
        return _Answer(made, intent=await _release(payment) if payment.all_of_it else None)
    except ProviderError as error:
        return _Answer(made, error=error)


async def _make(payment: _Open, promise: _Promise) -> None:
    provider, reference = gateway(), payment.reference
    keys = [refund_key(payment.key, promise.id, tried) for tried in range(promise.refusals + 1)]
    if promise.asked_before and not {refund.key for refund in await provider.refunds(reference)}.isdisjoint(
        keys
    ):
        return
    await provider.refund(reference, promise.amount_minor, key=keys[-1])


def refund_key(payment_key: UUID, refund: int, refusals: int = 0) -> str:
    return f"{payment_key}-refund-{refund}" + (f"-{refusals}" if refusals else "")


async def _release(payment: _Open) -> Intent:
    provider = gateway()
    if payment.status == "pending":
        return _NEVER_ASKED
    intent = await provider.find(
        key=charge_key(payment.key), reference=payment.reference, since=payment.begun_at
    )
    if intent is None:
        if payment.reference:
            raise Refused(unknown(payment.reference))
        if payment.requested_at and timezone.now() < payment.requested_at + _NO_CALL_LIVES_LONGER:
            raise NotNow(
                "the charge may still be on its way to the provider", _NO_CALL_LIVES_LONGER.total_seconds()
            )
        return _NEVER_ASKED
    if intent.status in ("authorised", "requires_action"):
        intent = await provider.void(intent.reference, key=f"{payment.key}-void")
    if intent.status == "captured" and (left := intent.captured_minor - intent.refunded_minor):
        await provider.refund(intent.reference, left, key=f"{payment.key}-refund")
        return Intent(intent.reference, "captured", intent.captured_minor, intent.captured_minor)
    return intent
