"""What drives the work: `due_at` says when to look at an order next, `attempts` whether someone is looking at it.

The relay claims what is due (workers.relay) and takes a lease by moving `due_at` ahead. Here stand the other ways in
which these columns change, and `advance`, the one statement by which an order changes its state.

    attempts = 0    nobody is at it; it is due at `due_at`, or has ended when that is null
    attempts > 0    driven so often since its last progress; its lease runs out at `due_at`
"""

from collections.abc import Collection, Mapping
from datetime import datetime, timedelta
from typing import LiteralString

from orders import sql
from orders.states import EventKind, OrderStatus

# Longer than a batch waits in a queue plus the longest call to a provider; a worker that died is replaced after it.
LEASE = timedelta(seconds=20)

_ADVANCE: LiteralString = """
WITH moved AS (
    UPDATE orders_order o
    SET status = %(target)s,
        due_at = CASE %(then)s WHEN 'lease' THEN now() + %(lease)s WHEN 'now' THEN now()
                               WHEN 'later' THEN %(later)s ELSE NULL END,
        attempts = CASE %(then)s WHEN 'lease' THEN 1 ELSE 0 END,
        alone = alone AND %(then)s <> 'end',
        ended_at = CASE %(then)s WHEN 'end' THEN clock_timestamp() END
    FROM unnest(%(ids)s::bigint[], %(details)s::text[]) AS step (id, detail)
    WHERE o.id = step.id AND o.status = ANY(%(sources)s)
    RETURNING o.id, step.detail
), logged AS (
    INSERT INTO orders_orderevent (order_id, kind, detail) SELECT id, %(event)s, detail FROM moved ORDER BY id
)
SELECT id FROM moved ORDER BY id
"""
_MAKE_DUE: LiteralString = """
UPDATE orders_order SET due_at = now(), attempts = 0 WHERE id IN (
    SELECT id FROM orders_order WHERE id = ANY(%(ids)s) AND status = ANY(%(only)s) ORDER BY id FOR NO KEY UPDATE)
"""
_REOPEN: LiteralString = """
UPDATE orders_order SET due_at = now(), attempts = 0, ended_at = NULL WHERE id = ANY(%(ids)s) AND status = %(status)s
"""
_LOOK_AT: LiteralString = """
UPDATE orders_order o SET due_at = step.at, attempts = 0, alone = o.alone OR %(alone)s
FROM unnest(%(ids)s::bigint[], %(times)s::timestamptz[]) AS step (id, at)
WHERE o.id = step.id AND o.due_at IS NOT NULL
"""
# Counted already, when it was claimed. Whoever is not under way any more has gone on without that worker.
_DRIVE_AGAIN: LiteralString = """
UPDATE orders_order SET due_at = now() WHERE id IN (
    SELECT id FROM orders_order WHERE id = ANY(%(ids)s) AND attempts > 0 AND due_at > now()
    ORDER BY id FOR NO KEY UPDATE)
"""
_HAND_BACK: LiteralString = """
UPDATE orders_order SET due_at = %(at)s, attempts = attempts - 1 WHERE id IN (
    SELECT id FROM orders_order WHERE id = ANY(%(ids)s) AND attempts > 0 AND due_at IS NOT NULL
    ORDER BY id FOR NO KEY UPDATE)
"""
_ARE_WAITING: LiteralString = "SELECT EXISTS (SELECT FROM orders_order WHERE due_at <= now() - %(for)s)"
_STANDING_SINCE: LiteralString = """
SELECT order_id, max(at) FROM orders_orderevent WHERE order_id = ANY(%(ids)s) GROUP BY order_id
"""
_SET_ASIDE: LiteralString = """
WITH stopped AS (
    UPDATE orders_order SET due_at = NULL, attempts = 0
    WHERE id = ANY(%(ids)s) AND due_at IS NOT NULL RETURNING id
)
INSERT INTO orders_orderevent (order_id, kind, detail)
SELECT id, 'order.dead_lettered', %(detail)s FROM stopped ORDER BY id
RETURNING order_id
"""
_CLOSE: LiteralString = """
UPDATE orders_order SET due_at = NULL, attempts = 0, alone = false, ended_at = coalesce(ended_at, clock_timestamp())
WHERE id = ANY(%(ids)s) RETURNING id
"""


def advance(
    orders: Collection[int] | Mapping[int, str],
    sources: Collection[OrderStatus],
    target: OrderStatus,
    *,
    then: str = "lease",
    later: datetime | None = None,
) -> list[int]:
    """Move the orders that are in one of `sources` to `target` and log it; returns the ids that moved.

    `orders` may carry a sentence for the log with each id. `then` is what comes next: "lease" (the same chain goes
    on), "now" (the relay is to look at once), "later" (at that time), "end" (nothing). Lock the orders first.
    """
    if not orders:
        return []
    details = list(orders.values()) if isinstance(orders, Mapping) else [""] * len(orders)
    moved = sql.rows(
        _ADVANCE,
        {
            "ids": list(orders),
            "details": [detail[:300] for detail in details],
            "sources": [status.value for status in sources],
            "target": target.value,
            "event": EventKind(f"order.{target.value}").value,
            "then": then,
            "lease": LEASE,
            "later": later,
        },
    )
    return [order_id for (order_id,) in moved]


def make_due(ids: Collection[int], *, only: Collection[OrderStatus] = tuple(OrderStatus)) -> int:
    """Have the relay look at these orders at once: a webhook's doorbell, a replay, a compensation."""
    return sql.count(_MAKE_DUE, {"ids": list(ids), "only": [status.value for status in only]}) if ids else 0


def reopen(ids: Collection[int], status: OrderStatus) -> int:
    """There is something left to do for orders that had ended, in the state they are in. Returns how many."""
    return sql.count(_REOPEN, {"ids": list(ids), "status": status.value})


def look_at(times: Mapping[int, datetime], *, alone: bool = False) -> int:
    """Look at each order at its time, and not before; those that have ended meanwhile are left as they are.

    `alone`: it failed in a batch and is driven by itself from now on.
    """
    if not times:
        return 0
    return sql.count(_LOOK_AT, {"ids": list(times), "times": list(times.values()), "alone": alone})


def drive_again(ids: Collection[int]) -> int:
    """The worker that had these orders is gone: they are due at once, and the drive counts. Returns how many."""
    return sql.count(_DRIVE_AGAIN, {"ids": list(ids)}) if ids else 0


def hand_back(ids: Collection[int], at: datetime) -> int:
    """Nothing could be tried, because our own house was down: they are due at that time, and the drive does not
    count. Returns how many."""
    return sql.count(_HAND_BACK, {"ids": list(ids), "at": at}) if ids else 0


def are_waiting(length: timedelta) -> bool:
    """Whether any order has been due for so long without being taken up."""
    return bool(sql.rows(_ARE_WAITING, {"for": length})[0][0])


def standing_since(ids: Collection[int]) -> dict[int, datetime]:
    """When each order came to the point at which it stands: the time of its last event. A replay is one."""
    return dict(sql.rows(_STANDING_SINCE, {"ids": list(ids)})) if ids else {}


def set_aside(ids: Collection[int], detail: str) -> list[int]:
    """Stop driving these orders until a person takes them up again; returns those that were being driven."""
    return [order_id for (order_id,) in sql.rows(_SET_ASIDE, {"ids": list(ids), "detail": detail[:300]})]


def close(ids: Collection[int]) -> list[int]:
    """Nothing is left to do for these orders."""
    return [order_id for (order_id,) in sql.rows(_CLOSE, {"ids": list(ids)})]
