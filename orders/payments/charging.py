"""Charging orders: ask the provider for a batch at once, then write what it answered.

1. In one transaction: lock the orders, mark their payments as asked. From here on nobody knows whether money moved.
2. With no lock held: authorise and capture in one call. A payment with a provider's reference (the buyer had to
   confirm) is looked up. One that was asked without an answer (a worker died, a call timed out) is asked again with the
   same key: for a day, a provider then answers as it did the first time. After that the charge is looked for first.
3. In one transaction: write each answer, and move each order that still waits for it. An order that was cancelled
   meanwhile keeps its answer and is made due, so that the money goes back (orders.payments.refunding).
4. Look into the inbox for reports that came while we asked (orders.payments.inbox).
"""

from collections import defaultdict
from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import LiteralString
from uuid import UUID

from django.conf import settings
from django.db import transaction
from django.utils import timezone

from orders import scheduling, sql
from orders.counting import count_failures
from orders.crashpoints import Point, reached
from orders.links import order_url
from orders.locking import lock_orders
from orders.models.order import number_of
from orders.payments import inbox, keys
from orders.payments.gateway import KEYS_LIVE, Charge, Intent, columns, gateway, unknown
from orders.providers.failures import Outcome, Refused
from orders.providers.http import ask_all
from orders.states import FAILED_STATES, OrderStatus
from orders.workflow import PAYMENT

CHARGEABLE = (OrderStatus.RESERVED, OrderStatus.AWAITING_PAYMENT)
# How often the provider is asked while a buyer is to confirm with the bank, which may take as long as the setting
# PAYMENT_HOLD_MINUTES says.
ASK_AGAIN = timedelta(seconds=60)

# Mark the payments as asked. Returns the fields of _Ask.
_ASK: LiteralString = """
WITH asked AS (
    SELECT p.id, p.status, o.token FROM orders_payment p JOIN orders_order o ON o.id = p.order_id
    WHERE p.order_id = ANY(%(ids)s) AND p.status IN ('pending', 'requested', 'requires_action', 'authorised')
)
UPDATE orders_payment p
SET status = CASE p.status WHEN 'pending' THEN 'requested' ELSE p.status END, requested_at = now(), updated_at = now()
FROM asked WHERE asked.id = p.id
RETURNING p.order_id, p.key, p.token, p.amount_minor, p.currency, p.reference, asked.status <> 'pending', p.hold_until,
          asked.token, p.created_at
"""
# Write what the provider answered; the hold begins with the first answer that asks for the buyer.
_ANSWER: LiteralString = """
UPDATE orders_payment p
SET status = step.status, reference = step.reference, action_url = step.action_url, captured_minor = step.captured,
    reason = step.reason, failures = 0, updated_at = now(),
    hold_until = CASE step.status WHEN 'requires_action' THEN coalesce(p.hold_until, now() + %(hold)s) END
FROM unnest(%(ids)s::bigint[], %(statuses)s::text[], %(references)s::text[], %(urls)s::text[], %(captured)s::bigint[],
            %(reasons)s::text[]) AS step (order_id, status, reference, action_url, captured, reason)
WHERE p.order_id = step.order_id
  AND (p.status IN ('requested', 'requires_action', 'authorised')
       -- voided because the provider did not know it, and then it was charged after all
       OR p.status = 'voided' AND p.reference = '')
RETURNING p.order_id, p.hold_until
"""


@dataclass(frozen=True, slots=True)
class _Ask:
    """A payment to ask the provider about."""

    order_id: int
    key: UUID
    token: str
    amount_minor: int
    currency: str
    reference: str
    asked_before: bool
    hold_until: datetime | None
    order_token: str
    begun_at: datetime

    @property
    def charge(self) -> Charge:
        return Charge(
            key=keys.key(self.key, "charge"),
            order_number=number_of(self.order_id),
            token=self.token,
            amount_minor=self.amount_minor,
            currency=self.currency,
            return_url=order_url(self.order_token),
        )


def charge(ids: Collection[int]) -> Outcome:
    """Charge the orders that are reserved or await their payment; `done` are those that are paid now."""
    with transaction.atomic():
        asks = {row[0]: _Ask(*row) for row in sql.rows(_ASK, {"ids": lock_orders(ids, CHARGEABLE)})}
        reached(Point.CHARGE_BEFORE_ROW, ids)
    if not asks:
        return Outcome([], [])
    reached(Point.CHARGE_AFTER_ROW, ids)
    intents, errors = ask_all(asks, _call)
    reached(Point.CHARGE_AFTER_CALL, ids)
    with transaction.atomic():
        paid = _write(intents)
        failed = count_failures(PAYMENT, errors)
        reached(Point.CHARGE_BEFORE_COMMIT, ids)
    reached(Point.CHARGE_AFTER_COMMIT, ids)
    inbox.catch_up(asks, [intent.reference for intent in intents.values()])
    return Outcome(paid, failed)


async def _call(ask: _Ask) -> Intent:
    provider = gateway()
    if ask.asked_before and (ask.reference or ask.begun_at < timezone.now() - KEYS_LIVE):
        found = await provider.find(
            key=keys.key(ask.key, "charge"), reference=ask.reference, since=ask.begun_at
        )
        if found and found.status == "authorised":
            return await provider.capture(found.reference, ask.amount_minor, key=keys.key(ask.key, "capture"))
        expired = ask.hold_until is not None and ask.hold_until <= timezone.now()
        if found and found.status == "requires_action" and expired:
            return await provider.void(found.reference, key=keys.key(ask.key, "void"))
        if found:
            return found
        if ask.reference:
            raise Refused(unknown(ask.reference))
    return await provider.authorise(ask.charge, capture=True)


def _write(intents: dict[int, Intent]) -> list[int]:
    """Record the answers and move the orders; returns those that are paid."""
    if not intents:
        return []
    waiting = lock_orders(intents, CHARGEABLE)
    holds = dict(
        sql.rows(_ANSWER, {**columns(intents), "hold": timedelta(minutes=settings.PAYMENT_HOLD_MINUTES)})
    )
    # An order that was cancelled while we asked is due again: there may be money to give back.
    scheduling.make_due(set(intents) - set(waiting), only=FAILED_STATES)
    by_status: dict[str, dict[int, str]] = defaultdict(dict)
    for order_id in waiting:
        intent = intents[order_id]
        by_status[intent.status][order_id] = intent.reason
    paid = scheduling.advance(list(by_status["captured"]), CHARGEABLE, OrderStatus.PAID)
    declined = by_status["declined"] | {
        order_id: reason or "The payment was not confirmed in time."
        for order_id, reason in by_status["voided"].items()
    }
    scheduling.advance(declined, CHARGEABLE, OrderStatus.PAYMENT_DECLINED, then="now")
    confirm = list(by_status["requires_action"])
    soon = timezone.now() + ASK_AGAIN
    scheduling.advance(
        confirm, [OrderStatus.RESERVED], OrderStatus.AWAITING_PAYMENT, then="later", later=soon
    )
    scheduling.schedule({order_id: min(soon, holds[order_id]) for order_id in confirm if order_id in holds})
    # Authorised but not captured: the next attempt begins with the capture.
    scheduling.make_due(list(by_status["authorised"]))
    return paid
