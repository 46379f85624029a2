"""Giving the money back to orders that ended without goods: void what is held, refund what was captured.

A payment that was asked for without an answer is looked up. If the provider does not know it, the call may still be
on its way: only when no such call can be alive any more is the payment called void.
"""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import LiteralString
from uuid import UUID

from django.db import transaction
from django.utils import timezone

from orders import sql
from orders.crashpoints import Point, reached
from orders.locking import lock_orders
from orders.outside.failures import NotNow, Outcome, ProviderError
from orders.outside.http import CALL_TIMEOUT, client, each
from orders.payments.charging import charge_key, note_failures
from orders.payments.gateway import Intent, gateway
from orders.states import OrderStatus

REFUNDABLE = (
    OrderStatus.CANCELLED,
    OrderStatus.PAYMENT_DECLINED,
    OrderStatus.OUT_OF_STOCK,
    OrderStatus.REFUNDED,
)
_NO_CALL_LIVES_LONGER = timedelta(seconds=2 * CALL_TIMEOUT)

_OPEN: LiteralString = """
SELECT order_id, key, reference, status, requested_at FROM orders_payment
WHERE order_id = ANY(%(ids)s) AND status NOT IN ('declined', 'voided', 'refunded') ORDER BY order_id
"""
_SETTLE: LiteralString = """
UPDATE orders_payment p
SET status = step.status, reference = step.reference, captured_minor = step.captured, refunded_minor = step.refunded,
    attempts = 0, updated_at = now(), hold_until = NULL
FROM unnest(%(ids)s::bigint[], %(statuses)s::text[], %(references)s::text[], %(captured)s::bigint[],
            %(refunded)s::bigint[]) AS step (order_id, status, reference, captured, refunded)
WHERE p.order_id = step.order_id AND p.status NOT IN ('declined', 'voided', 'refunded')
"""


@dataclass(frozen=True, slots=True)
class _Open:
    order_id: int
    key: UUID
    reference: str
    status: str
    requested_at: datetime | None


_NEVER_ASKED = Intent(reference="", status="voided")


def give_back(ids: Collection[int]) -> Outcome:
    """Void or refund; `done` are all orders of the batch that hold no money now, cash on delivery included."""
    with transaction.atomic():
        held = lock_orders(ids, REFUNDABLE)
        payments = [_Open(*row) for row in sql.rows(_OPEN, {"ids": held})]
        reached(Point.GIVE_BACK_BEFORE_ROW, ids)
    reached(Point.GIVE_BACK_AFTER_ROW, ids)
    answers = client().run(each(payments, _settle)) if payments else []
    reached(Point.GIVE_BACK_AFTER_CALL, ids)
    settled: dict[int, Intent] = {}
    errors: dict[int, ProviderError] = {}
    for payment, answer in zip(payments, answers, strict=True):
        if isinstance(answer, Intent):
            settled[payment.order_id] = answer
        else:
            errors[payment.order_id] = answer
    with transaction.atomic():
        lock_orders(settled, REFUNDABLE)
        sql.count(
            _SETTLE,
            {
                "ids": list(settled),
                "statuses": [
                    "refunded" if intent.refunded_minor else intent.status for intent in settled.values()
                ],
                "references": [intent.reference for intent in settled.values()],
                "captured": [intent.captured_minor for intent in settled.values()],
                "refunded": [intent.refunded_minor for intent in settled.values()],
            },
        )
        failed = note_failures(errors)
        reached(Point.GIVE_BACK_BEFORE_COMMIT, ids)
    reached(Point.GIVE_BACK_AFTER_COMMIT, ids)
    return Outcome([order_id for order_id in held if order_id not in errors], failed)


async def _settle(payment: _Open) -> Intent:
    provider = gateway()
    if payment.status == "pending":
        return _NEVER_ASKED
    intent = await provider.find(key=charge_key(payment.key), reference=payment.reference)
    if intent is None:
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
