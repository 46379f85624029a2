"""Charging orders: ask the provider for a batch at once, then write what it answered.

1. In one transaction: lock the orders, mark their payments as asked. From here on nobody knows whether money moved.
2. With no lock held: a payment is authorised and captured in one call. One that was asked before and is known by the
   provider's reference (the buyer had to confirm) is looked up. One that was asked without an answer (a worker died, a
   call timed out) is asked again with the same key: within a day that is every provider's own way of telling what
   became of it, and later it is looked for before anything is charged.
3. In one transaction: write each answer, move each order that still waits for it. An order that was cancelled
   meanwhile keeps its answer and is made due, so that the money goes back (orders.payments.refunding).
4. Look into the inbox: a report that came while we asked waits there for the answer (orders.payments.inbox).
"""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import LiteralString
from uuid import UUID

from django.db import transaction
from django.utils import timezone

from orders import scheduling, sql
from orders.counting import count_failures
from orders.crashpoints import Point, reached
from orders.links import order_url
from orders.locking import lock_orders
from orders.models.order import number_of
from orders.payments import inbox
from orders.payments.gateway import KEYS_LIVE, Charge, Intent, gateway
from orders.providers.failures import Outcome, ProviderError, Refused
from orders.providers.http import client, each
from orders.states import FAILED_STATES, OrderStatus
from orders.workflow import PAYMENT

CHARGEABLE = (OrderStatus.RESERVED, OrderStatus.AWAITING_PAYMENT)
# How long a buyer may take to confirm with the bank, and how often the provider is asked meanwhile, should its
# webhook not arrive.
HOLD = timedelta(minutes=30)
ASK_AGAIN = timedelta(seconds=60)

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
_ANSWER: LiteralString = """
UPDATE orders_payment p
SET status = step.status, reference = step.reference, action_url = step.action_url, captured_minor = step.captured,
    reason = step.reason, failures = 0, updated_at = now(),
    hold_until = CASE step.status WHEN 'requires_action' THEN coalesce(p.hold_until, now() + %(hold)s) END
FROM unnest(%(ids)s::bigint[], %(statuses)s::text[], %(references)s::text[], %(urls)s::text[], %(captured)s::bigint[],
            %(reasons)s::text[]) AS step (order_id, status, reference, action_url, captured, reason)
WHERE p.order_id = step.order_id
  AND (p.status IN ('requested', 'requires_action', 'authorised')
       -- given up as never heard of, and then it came through after all
       OR p.status = 'voided' AND p.reference = '')
RETURNING p.order_id, p.hold_until
"""


@dataclass(frozen=True, slots=True)
class _Ask:
    charge: Charge
    order_id: int
    reference: str
    asked_before: bool
    hold_until: datetime | None
    begun_at: datetime


def charge(ids: Collection[int]) -> Outcome:
    """Charge the orders that are reserved or await their payment; `done` are those that are paid now."""
    with transaction.atomic():
        asks = [_ask(row) for row in sql.rows(_ASK, {"ids": lock_orders(ids, CHARGEABLE)})]
        reached(Point.CHARGE_BEFORE_ROW, ids)
    if not asks:
        return Outcome([], [])
    reached(Point.CHARGE_AFTER_ROW, ids)
    answers = client().run(each(asks, _call))
    reached(Point.CHARGE_AFTER_CALL, ids)
    intents = {
        ask.order_id: answer for ask, answer in zip(asks, answers, strict=True) if isinstance(answer, Intent)
    }
    errors = {
        ask.order_id: answer
        for ask, answer in zip(asks, answers, strict=True)
        if isinstance(answer, ProviderError)
    }
    with transaction.atomic():
        paid = _write(intents)
        failed = count_failures(PAYMENT, errors)
        reached(Point.CHARGE_BEFORE_COMMIT, ids)
    reached(Point.CHARGE_AFTER_COMMIT, ids)
    inbox.catch_up([ask.order_id for ask in asks], [intent.reference for intent in intents.values()])
    return Outcome(paid, failed)


def unknown(reference: str) -> str:
    """For people: a charge that was made once and that nobody knows now must neither be repeated nor forgotten."""
    return (
        f"The payment provider does not know {reference}, which it made for us. Was it charged through another gateway "
        "than PAYMENT_GATEWAY names now? Set that one again until such orders have ended."
    )


def charge_key(key: UUID) -> str:
    return f"{key}-charge"


async def _call(ask: _Ask) -> Intent:
    provider = gateway()
    if ask.asked_before and (ask.reference or ask.begun_at < timezone.now() - KEYS_LIVE):
        found = await provider.find(key=ask.charge.key, reference=ask.reference, since=ask.begun_at)
        if found and found.status == "authorised":
            return await provider.capture(
                found.reference, ask.charge.amount_minor, key=ask.charge.key.replace("-charge", "-capture")
            )
        if (
            found
            and found.status == "requires_action"
            and ask.hold_until
            and ask.hold_until <= timezone.now()
        ):
            return await provider.void(found.reference, key=ask.charge.key.replace("-charge", "-void"))
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
        sql.rows(
            _ANSWER,
            {
                "ids": list(intents),
                "statuses": [intent.status for intent in intents.values()],
                "references": [intent.reference for intent in intents.values()],
                "urls": [intent.action_url for intent in intents.values()],
                "captured": [intent.captured_minor for intent in intents.values()],
                "reasons": [intent.reason[:300] for intent in intents.values()],
                "hold": HOLD,
            },
        )
    )
    # Who moved on while we asked (cancelled, most likely) must be looked at again: there may be money to give back.
    scheduling.make_due(set(intents) - set(waiting), only=FAILED_STATES)
    by_status: dict[str, dict[int, str]] = {}
    for order_id in waiting:
        intent = intents[order_id]
        by_status.setdefault(intent.status, {})[order_id] = intent.reason
    paid = scheduling.advance(list(by_status.get("captured", {})), CHARGEABLE, OrderStatus.PAID)
    declined = by_status.get("declined", {}) | {
        order_id: reason or "The payment was not confirmed in time."
        for order_id, reason in by_status.get("voided", {}).items()
    }
    scheduling.advance(declined, CHARGEABLE, OrderStatus.PAYMENT_DECLINED, then="now")
    confirm = list(by_status.get("requires_action", {}))
    soon = timezone.now() + ASK_AGAIN
    scheduling.advance(
        confirm, [OrderStatus.RESERVED], OrderStatus.AWAITING_PAYMENT, then="later", later=soon
    )
    scheduling.schedule({order_id: min(soon, holds[order_id]) for order_id in confirm if order_id in holds})
    # Authorised but not captured: the capture is the next drive's first call.
    scheduling.make_due(list(by_status.get("authorised", {})))
    return paid


def _ask(row: tuple[int, UUID, str, int, str, str, bool, datetime | None, str, datetime]) -> _Ask:
    order_id, key, token, amount, currency, reference, asked_before, hold_until, order_token, begun_at = row
    return _Ask(
        charge=Charge(
            key=charge_key(key),
            order_number=number_of(order_id),
            token=token,
            amount_minor=amount,
            currency=currency,
            return_url=order_url(order_token),
        ),
        order_id=order_id,
        reference=reference,
        asked_before=asked_before,
        hold_until=hold_until,
        begun_at=begun_at,
    )
