"""The inbox of the payment provider's reports: each is kept once, and applied once when its time has come.

Nothing that a report claims is believed: its order is made due, and the step that charges it, or gives its money
back, asks the provider. So it does not matter whether a report is doubled, late or out of order. It matters that none
is lost:

- it is kept before the provider hears "received", once by its own id, however often it is delivered;
- an **early** one waits. While a charge has no answer yet, or no row of ours has the provider's id, nothing can be made
  due: the charge looks into the inbox after it has written its answer (`catch_up`). Each of the two commits before it
  looks for the other, so at least one of them sees both;
- one about money that was given back, or is disputed, waits until its order has ended: then it is looked at whether our
  books have it (orders.payments.taking_over);
- what stays is looked at every minute (`sweep`), for a process may die between keeping and applying;
- one that is about no order of ours is kept too, and people see it.
"""

from collections.abc import Collection
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from typing import LiteralString

from django.db import transaction

from orders import scheduling, sql
from orders.crashpoints import Point, reached
from orders.locking import lock_orders
from orders.payments import taking_over
from orders.states import END_STATES, FAILED_STATES, OrderStatus

# How long a report whose order is unknown is tried again by itself. After that it waits for a person.
PATIENCE = timedelta(days=1)

# Keep a report, or count that it came again.
_KEEP: LiteralString = """
INSERT INTO orders_providerevent (gateway, event_id, kind, reference, order_id, body, happened_at)
VALUES (%(gateway)s, %(event_id)s, %(kind)s, %(reference)s::text,
        coalesce((SELECT order_id FROM orders_payment WHERE reference = %(reference)s::text AND reference <> ''
                  ORDER BY id LIMIT 1),
                 (SELECT id FROM orders_order WHERE id = %(order_id)s::bigint)),
        %(body)s, %(happened_at)s)
ON CONFLICT (gateway, event_id) DO UPDATE
SET times = orders_providerevent.times + 1, last_received_at = now()
RETURNING id
"""
# Find the orders of reports that had none.
_PLACE: LiteralString = """
UPDATE orders_providerevent e SET order_id = p.order_id FROM orders_payment p
WHERE e.applied_at IS NULL AND e.order_id IS NULL AND e.reference <> '' AND p.reference = e.reference AND (
    e.id = ANY(%(events)s) OR e.reference = ANY(%(references)s) OR e.received_at > now() - %(patience)s)
"""
# Reports that are not applied, with their orders, and whether they are about money given back.
_WAITING: LiteralString = """
SELECT id, order_id, kind LIKE ANY(%(given_back)s) FROM orders_providerevent
WHERE applied_at IS NULL AND order_id IS NOT NULL AND (
    id = ANY(%(events)s) OR order_id = ANY(%(orders)s) OR received_at > now() - %(patience)s)
ORDER BY id LIMIT 5000
"""
# Of each order: whether its charge is being asked for at this moment, whether a report can matter to it, and whether it
# has ended.
_STATUS: LiteralString = """
SELECT o.id,
       p.status = 'requested' AND o.attempts > 0 AND o.due_at > now(),
       p.status IN ('requested', 'requires_action', 'authorised')
           OR p.status = 'captured' AND o.status = ANY(%(failed)s),
       o.status = ANY(%(ends)s)
FROM orders_order o LEFT JOIN orders_payment p ON p.order_id = o.id WHERE o.id = ANY(%(ids)s)
"""
# Nothing is left to learn from these.
_APPLIED: LiteralString = """
UPDATE orders_providerevent SET applied_at = now() WHERE id = ANY(%(ids)s) AND applied_at IS NULL
"""
_NO_TIME = timedelta(0)
# Kinds of reports about money that was given back or is disputed, as patterns of LIKE.
_GIVEN_BACK = ["charge.refund%", "refund.%", "charge.dispute.%"]


@dataclass(frozen=True, slots=True)
class Report:
    """What a provider reported: the parts that find its order, and all of it as it came."""

    gateway: str
    event_id: str
    kind: str
    reference: str
    order_id: int | None
    body: str
    happened_at: datetime | None


def keep(report: Report) -> int:
    """Keep a report; returns its id in the inbox, which is the same however often it comes."""
    orders = [report.order_id] if report.order_id else []
    reached(Point.WEBHOOK_BEFORE_COMMIT, orders)
    [(kept,)] = sql.rows(_KEEP, asdict(report))
    reached(Point.WEBHOOK_AFTER_COMMIT, orders)
    return int(kept)


def apply(event: int) -> bool:
    """Apply a report that was kept; False while its order is unknown."""
    _apply(events=[event])
    return bool(
        sql.rows("SELECT FROM orders_providerevent WHERE id = %(id)s AND order_id IS NOT NULL", {"id": event})
    )


def catch_up(orders: Collection[int], references: Collection[str]) -> int:
    """Apply what came while these orders were being charged. Call it after their answers are committed."""
    return _apply(orders=orders, references=references)


def sweep() -> int:
    """Apply all whose orders are known by now; returns how many."""
    return _apply(patience=PATIENCE)


def _apply(
    *,
    events: Collection[int] = (),
    orders: Collection[int] = (),
    references: Collection[str] = (),
    patience: timedelta = _NO_TIME,
) -> int:
    """1. Find the orders of reports that had none. 2. Lock the orders. 3. Make due those to which a report can matter.
    Reports of an order that is being charged are left to the charge; the rest is applied."""
    with transaction.atomic():
        chosen = {"events": list(events), "patience": patience}
        sql.count(_PLACE, {**chosen, "references": [reference for reference in references if reference]})
        waiting = sql.rows(_WAITING, {**chosen, "orders": list(orders), "given_back": _GIVEN_BACK})
        if not waiting:
            return 0
        ids = lock_orders({order_id for _, order_id, _ in waiting}, tuple(OrderStatus))
        status = sql.rows(
            _STATUS, {"ids": ids, "failed": _values(FAILED_STATES), "ends": _values(END_STATES)}
        )
        being_charged = {order_id for order_id, asked, *_ in status if asked}
        not_ended = {order_id for order_id, *_, ended in status if not ended}
        scheduling.make_due([order_id for order_id, asked, matters, _ in status if matters and not asked])
        taking_over.look({order_id for _, order_id, given_back in waiting if given_back} - not_ended)
        applied = [
            event
            for event, order_id, given_back in waiting
            if order_id not in (being_charged | not_ended if given_back else being_charged)
        ]
        return sql.count(_APPLIED, {"ids": applied})


def _values(states: Collection[OrderStatus]) -> list[str]:
    return [state.value for state in states]
