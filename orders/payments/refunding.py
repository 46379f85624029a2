"""Giving money back: refunds that were promised, and all that an order without goods still holds.

1. Read every refund and dispute of the charge at the provider, and take over what our books do not have
   (orders.payments.taking_over). So what was given back already, by us or by hand or by the bank, is never paid again.
2. Keep the promises (orders.refunds), each under a key of its own row, less what was found to be given back of it.
3. Of an order that ended without goods void what is held, and refund what is left. A payment that was asked for without
   an answer is looked up. When the provider does not know it, the call may still be on its way: the payment counts as
   void only when no such call can be alive any more.

While a dispute is open the bank holds the money: nothing is paid back, or the buyer would have it twice. A refund that
the provider refuses is looked into: when its list has changed since it was read, it is read again.
"""

from collections.abc import Collection, Mapping, Sequence
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
from orders.payments import keys, taking_over
from orders.payments.gateway import Intent, Returned, columns, gateway, unknown
from orders.providers.failures import NotNow, Outcome, ProviderError, Refused
from orders.providers.http import CALL_TIMEOUT, ask_all
from orders.states import END_STATES
from orders.workflow import PAYMENT

_NO_CALL_LIVES_LONGER = timedelta(seconds=2 * CALL_TIMEOUT)

# Payments of which the provider's refunds and disputes are read: something is to be given back, or was reported.
_TO_READ: LiteralString = """
SELECT p.order_id, p.reference, p.reported_at FROM orders_payment p JOIN orders_order o ON o.id = p.order_id
WHERE p.order_id = ANY(%(ids)s) AND p.reference <> '' AND (
    p.reported_at IS NOT NULL
    OR o.status <> 'completed' AND p.status NOT IN ('declined', 'voided', 'refunded')
    OR EXISTS (SELECT FROM orders_refund r WHERE r.order_id = p.order_id AND r.status = 'requested'))
"""
# Payments that may have money to give back. A completed order gives back what was promised, and no more.
_OPEN: LiteralString = """
SELECT p.order_id, p.key, p.reference, p.status, p.requested_at, p.created_at, p.outside_minor,
       o.status <> 'completed', coalesce(lost.amount, 0), coalesce(lost.undecided, '')
FROM orders_payment p JOIN orders_order o ON o.id = p.order_id
LEFT JOIN LATERAL (
    SELECT sum(amount_minor) FILTER (WHERE status = 'given_back')::bigint AS amount,
           min(reference) FILTER (WHERE status = 'open') AS undecided
    FROM orders_reversal v WHERE v.order_id = p.order_id AND v.kind = 'dispute'
) AS lost ON true
WHERE p.order_id = ANY(%(ids)s) AND p.status NOT IN ('declined', 'voided', 'refunded')
  AND (o.status <> 'completed' OR p.order_id = ANY(%(promised)s))
ORDER BY p.order_id
"""
# Mark the promises of these orders as asked. Returns each order with the fields of _Promise.
_PROMISED: LiteralString = """
UPDATE orders_refund r SET asked_at = coalesce(r.asked_at, now())
WHERE r.order_id = ANY(%(ids)s) AND r.status = 'requested'
RETURNING r.order_id, r.id, r.amount_minor - r.found_minor, r.refusals
"""
# The provider refused these: the next try needs a key of its own.
_REFUSED: LiteralString = """
UPDATE orders_refund SET refusals = refusals + 1 WHERE id = ANY(%(refunds)s) AND status = 'requested'
"""
# Write what the provider holds now of orders that ended without goods.
_SETTLE: LiteralString = """
UPDATE orders_payment p
SET status = CASE WHEN step.captured > 0 AND step.refunded + p.outside_minor = step.captured THEN 'refunded'
                  ELSE step.status END,
    reference = step.reference, captured_minor = step.captured, refunded_minor = step.refunded,
    failures = 0, updated_at = now(), hold_until = NULL
FROM unnest(%(ids)s::bigint[], %(statuses)s::text[], %(references)s::text[], %(captured)s::bigint[],
            %(refunded)s::bigint[]) AS step (order_id, status, reference, captured, refunded)
WHERE p.order_id = step.order_id AND p.status NOT IN ('declined', 'voided', 'refunded')
"""


@dataclass(frozen=True, slots=True)
class _Read:
    """What the provider has given back of a charge; `reported_at` is when it was last told that there is something."""

    reference: str
    reported_at: datetime | None


@dataclass(frozen=True, slots=True)
class _Promise:
    """`amount_minor` is what is left to pay of it."""

    id: int
    amount_minor: int
    refusals: int


@dataclass(frozen=True, slots=True)
class _Open:
    """A payment with what is to be given back of it: the promises, and with `all_of_it` all that is left after them.

    `lost_minor` went back by disputes, and `undecided` is one that is open. `seen` are the provider's refunds and
    disputes when they were read.
    """

    order_id: int
    key: UUID
    reference: str
    status: str
    requested_at: datetime | None
    begun_at: datetime
    outside_minor: int
    all_of_it: bool
    lost_minor: int
    undecided: str
    promises: list[_Promise]
    seen: frozenset[Returned]

    def check_undecided(self) -> None:
        """Raise Refused while the bank holds the money."""
        if self.undecided:
            raise Refused(
                f"The buyer's bank disputes {self.reference} and holds the money ({self.undecided}): to give it back "
                "now would pay twice. Answer the dispute at the payment provider, and replay this when it is closed: "
                "if it is lost, it counts as this refund; if it is won, this is paid."
            )


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
    seen, errors = _take_over(ids)
    with transaction.atomic():
        held = lock_orders(ids, END_STATES)
        payments = _open([order_id for order_id in held if order_id not in errors], seen)
        reached(Point.REFUND_BEFORE_ROW, ids)
    reached(Point.REFUND_AFTER_ROW, ids)
    answers, unasked = ask_all(payments, _settle)
    reached(Point.REFUND_AFTER_CALL, ids)
    errors |= unasked
    errors |= {order_id: answer.error for order_id, answer in answers.items() if answer.error}
    settled = {order_id: answer.intent for order_id, answer in answers.items() if answer.intent}
    refused = [answer.refused for answer in answers.values() if answer.refused]
    with transaction.atomic():
        lock_orders(payments, END_STATES)
        taking_over.mark_made([promise for answer in answers.values() for promise in answer.made])
        if refused:
            sql.count(_REFUSED, {"refunds": refused})
        sql.count(_SETTLE, columns(settled))
        failed = count_failures(PAYMENT, errors)
        reached(Point.REFUND_BEFORE_COMMIT, ids)
    reached(Point.REFUND_AFTER_COMMIT, ids)
    return Outcome([order_id for order_id in held if order_id not in errors], failed)


def _take_over(ids: Collection[int]) -> tuple[dict[int, list[Returned]], dict[int, ProviderError]]:
    """Read what the provider has given back of these orders' charges, and bring our books up to it."""
    with transaction.atomic():
        found = sql.rows(_TO_READ, {"ids": lock_orders(ids, END_STATES)})
    to_read = {order_id: _Read(*row) for order_id, *row in found}
    seen, errors = ask_all(to_read, _returns)
    if seen:
        with transaction.atomic():
            for order_id in lock_orders(seen, END_STATES):
                if seen[order_id]:
                    taking_over.take_over(order_id, seen[order_id])
                taking_over.looked(order_id, to_read[order_id].reported_at)
    return seen, errors


async def _returns(payment: _Read) -> list[Returned]:
    provider = gateway()
    try:
        return await provider.returns(payment.reference)
    except Refused as refused:
        if await provider.find(key="", reference=payment.reference) is None:
            raise Refused(unknown(payment.reference)) from refused
        raise


def _open(held: Collection[int], seen: Mapping[int, Sequence[Returned]]) -> dict[int, _Open]:
    promises: dict[int, list[_Promise]] = {}
    for order_id, *promise in sql.rows(_PROMISED, {"ids": list(held)}):
        promises.setdefault(order_id, []).append(_Promise(*promise))
    found = sql.rows(_OPEN, {"ids": list(held), "promised": list(promises)})
    return {
        row[0]: _Open(*(*row, promises.get(row[0], []), frozenset(seen.get(row[0], ())))) for row in found
    }


async def _settle(payment: _Open) -> _Answer:
    made: list[int] = []
    asked = None
    try:
        for promise in payment.promises:
            asked = promise.id
            payment.check_undecided()
            key = keys.promised_refund(payment.key, promise.id, promise.refusals)
            await _pay(payment.reference, promise.amount_minor, key, payment.seen)
            made.append(promise.id)
        asked = None
        return _Answer(made, intent=await _release(payment) if payment.all_of_it else None)
    except ProviderError as error:
        refused = isinstance(error, Refused) or isinstance(error.__cause__, Refused)
        return _Answer(made, asked if refused else None, error=error)


async def _pay(reference: str, amount_minor: int, key: str, seen: frozenset[Returned]) -> None:
    """Refund so much. A refusal is looked into: what was given back after its list was read is taken over first."""
    provider = gateway()
    try:
        await provider.refund(reference, amount_minor, key=key)
    except Refused as refused:
        if not seen.issuperset(await provider.returns(reference)):
            raise NotNow(f"{refused}; the provider has given back more of it meanwhile", 1) from refused
        raise


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
    if intent.status != "captured":
        return intent
    payment.check_undecided()
    # What was given back another way (orders.settling) is not given back here as well.
    gone = intent.refunded_minor + payment.lost_minor + payment.outside_minor
    if gone < intent.captured_minor:
        left, key = intent.captured_minor - gone, keys.rest(payment.key, gone)
        await _pay(intent.reference, left, key, payment.seen)
    refunded = intent.captured_minor - payment.outside_minor
    return Intent(intent.reference, "captured", intent.captured_minor, refunded)
