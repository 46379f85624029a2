"""When each order is looked at next: every statement that moves an order's `due_at` or counts its attempts.

    attempts = 0    not under way; it is due at `due_at`, or nothing is left to do when that is null
    attempts > 0    under way, for the n-th time since its last progress; its lease runs out at `due_at`

The relay claims what is due: the one query behind outbox, retry timer, crash recovery and replay. Progress sets the
count to 1 and extends the lease; a retry sets it to 0 and `due_at` to the time of the next try; an end sets `due_at` to
null. What did nothing for the order (our own database was down, a relay died before it dispatched) does not count.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import LiteralString

from orders import sql
from orders.states import EventKind, OrderStatus

# Longer than a batch waits in a queue plus the longest call to a provider; a worker that died is replaced after it.
LEASE = timedelta(seconds=20)
# Longer than dispatching a claim takes, the broker's time-outs included: after that, its relay has died.
UNDISPATCHED = timedelta(seconds=5)

# For statements that name their orders. `due_at IS NOT NULL` would do, but when a crowd comes to a shop whose
# statistics are of a quiet hour, PostgreSQL takes the index of due orders for empty and reads all of it for each batch.
_NOT_ENDED: LiteralString = "coalesce(o.due_at, 'infinity') <> 'infinity'"

# Whether any order is due: the cheap question of a quiet shop.
_ANY_DUE: LiteralString = "SELECT EXISTS (SELECT FROM orders_order WHERE due_at <= now() - %(for)s)"
# Lease orders that are due, and note them in one claim until they are dispatched. MATERIALIZED, here and below: looked
# up anew for each row of a nested loop, "the next so many that nobody has locked" would be others each time.
_CLAIM: LiteralString = """
WITH due AS MATERIALIZED (
    SELECT id FROM orders_order WHERE due_at <= now() ORDER BY due_at LIMIT %(limit)s FOR NO KEY UPDATE SKIP LOCKED
), claimed AS (
    UPDATE orders_order o
    SET due_at = now() + %(lease)s, attempts = o.attempts + 1, attempts_total = o.attempts_total + 1
    FROM due WHERE o.id = due.id
    RETURNING o.id, o.status, o.payment_method, o.attempts, o.alone
), noted AS (
    INSERT INTO orders_claim (order_ids, lease_until)
    SELECT array_agg(id), now() + %(lease)s FROM claimed HAVING count(*) > 0 RETURNING id
)
SELECT claimed.*, noted.id FROM claimed CROSS JOIN noted
"""
# All of the claim is dispatched.
_DISPATCHED: LiteralString = "DELETE FROM orders_claim WHERE id = %(claim)s"
# Orders of a relay that died between claim and dispatch. An order that was dispatched after all has a lease of its own
# or has ended: only those are released that are as the claim left them.
_RELEASE_UNDISPATCHED: LiteralString = """
WITH undispatched AS (
    DELETE FROM orders_claim WHERE claimed_at < now() - %(patience)s RETURNING order_ids, lease_until
), held AS (
    SELECT o.id FROM orders_order o
    JOIN undispatched u ON o.id = ANY(u.order_ids) AND o.due_at = u.lease_until
    ORDER BY o.id FOR NO KEY UPDATE OF o
)
UPDATE orders_order o SET due_at = now(), attempts = attempts - 1, attempts_total = attempts_total - 1
FROM held WHERE o.id = held.id AND o.attempts > 0
"""
# Claimed and not dispatched after all: as if it had not been claimed.
_UNCLAIM: LiteralString = """
UPDATE orders_order
SET due_at = now() + %(wait)s, attempts = greatest(attempts - 1, 0), attempts_total = attempts_total - 1
WHERE id = ANY(%(ids)s) AND attempts > 0
"""
# Only the broker knew all that is under way, and the broker has forgotten it.
_RELEASE_ALL: LiteralString = """
UPDATE orders_order SET due_at = now(), attempts = attempts - 1 WHERE attempts > 0 AND due_at IS NOT NULL
"""
# The one statement by which an order changes its state; it writes the event too.
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
# Look at these orders at once.
_MAKE_DUE: LiteralString = """
UPDATE orders_order SET due_at = now(), attempts = 0 WHERE id IN (
    SELECT id FROM orders_order WHERE id = ANY(%(ids)s) AND status = ANY(%(only)s) ORDER BY id FOR NO KEY UPDATE)
"""
# Something is left to do for orders that had ended.
_REOPEN: LiteralString = """
UPDATE orders_order SET due_at = now(), attempts = 0, ended_at = NULL
WHERE id = ANY(%(ids)s) AND status = ANY(%(states)s)
"""
# Each order at its own time; those that have ended meanwhile stay as they are.
_SCHEDULE: LiteralString = sql.compose(
    """
UPDATE orders_order o SET due_at = step.at, attempts = 0, alone = o.alone OR %(alone)s
FROM unnest(%(ids)s::bigint[], %(times)s::timestamptz[]) AS step (id, at)
WHERE o.id = step.id AND $not_ended
""",
    not_ended=_NOT_ENDED,
)
# The attempt was counted when the order was claimed. An order that is not under way has gone on without that worker.
_WORKER_LOST: LiteralString = """
UPDATE orders_order SET due_at = now() WHERE id IN (
    SELECT id FROM orders_order o WHERE id = ANY(%(ids)s) AND attempts > 0 AND coalesce(o.due_at, '-infinity') > now()
    ORDER BY id FOR NO KEY UPDATE)
"""
# Nothing could be tried: the attempt does not count.
_RELEASE: LiteralString = sql.compose(
    """
UPDATE orders_order SET due_at = %(at)s, attempts = attempts - 1 WHERE id IN (
    SELECT id FROM orders_order o WHERE id = ANY(%(ids)s) AND attempts > 0 AND $not_ended
    ORDER BY id FOR NO KEY UPDATE)
""",
    not_ended=_NOT_ENDED,
)
# Parked until a provider is back. Somebody else may have set an earlier time for the order (a step at its side, a
# cancellation): that stays. Parked orders are many and come back in company: `alone` was for a trouble of their own.
_PARK: LiteralString = sql.compose(
    """
WITH held AS MATERIALIZED (
    SELECT id, due_at, attempts FROM orders_order o
    WHERE id = ANY(%(ids)s) AND $not_ended ORDER BY id FOR NO KEY UPDATE
)
UPDATE orders_order o
SET attempts = 0, alone = false,
    due_at = CASE WHEN held.attempts = 0 THEN least(held.due_at, %(until)s) ELSE %(until)s END
FROM held WHERE o.id = held.id
""",
    not_ended=_NOT_ENDED,
)
# Some that are parked until this time. Any, not the eldest: one with a trouble of its own must not be every probe.
_WAKE: LiteralString = """
WITH drawn AS MATERIALIZED (
    SELECT id FROM orders_order WHERE due_at = %(parked_until)s ORDER BY random() LIMIT %(limit)s
    FOR NO KEY UPDATE SKIP LOCKED
)
UPDATE orders_order o SET due_at = now(), attempts = 0 FROM drawn WHERE o.id = drawn.id
"""
# Nobody looks at these until a person takes them up again.
_SET_ASIDE: LiteralString = sql.compose(
    """
WITH stopped AS (
    UPDATE orders_order o SET due_at = NULL, attempts = 0
    WHERE id = ANY(%(ids)s) AND $not_ended RETURNING id
)
INSERT INTO orders_orderevent (order_id, kind, detail)
SELECT id, 'order.dead_lettered', %(detail)s FROM stopped ORDER BY id
RETURNING order_id
""",
    not_ended=_NOT_ENDED,
)
# Nothing is left to do.
_CLOSE: LiteralString = """
UPDATE orders_order SET due_at = NULL, attempts = 0, alone = false, ended_at = coalesce(ended_at, clock_timestamp())
WHERE id = ANY(%(ids)s) RETURNING id
"""
# When each order came to the step at which it stands. A replay is an event too.
_AT_STEP_SINCE: LiteralString = """
SELECT order_id, max(at) FROM orders_orderevent WHERE order_id = ANY(%(ids)s) GROUP BY order_id
"""
_NO_WAIT = timedelta(0)


@dataclass(frozen=True, slots=True)
class Due:
    """A claimed order. `attempts` counts this one; `alone`: it failed in a batch before; `claim`: the note of it."""

    order_id: int
    status: str
    payment_method: str
    attempts: int
    alone: bool
    claim: int


def any_due(since: timedelta = _NO_WAIT) -> bool:
    """Whether any order has been due for so long without being claimed."""
    return bool(sql.rows(_ANY_DUE, {"for": since})[0][0])


def claim(limit: int) -> list[Due]:
    """Lease up to `limit` due orders; relays that run side by side never get the same one.

    Call `dispatched` when a message has gone out for all of them: until then they are noted, should the relay die.
    """
    return [Due(*row) for row in sql.rows(_CLAIM, {"limit": limit, "lease": LEASE})]


def dispatched(claim: int) -> None:
    """All orders of the claim are dispatched, or were released."""
    sql.count(_DISPATCHED, {"claim": claim})


def release_undispatched() -> int:
    """Make due, uncounted, what a relay claimed before it died. Returns how many orders."""
    return sql.count(_RELEASE_UNDISPATCHED, {"patience": UNDISPATCHED})


def unclaim(ids: Collection[int], wait: timedelta = _NO_WAIT) -> None:
    """Claimed orders were not dispatched: they are due again after `wait`, and the attempt does not count."""
    sql.count(_UNCLAIM, {"ids": list(ids), "wait": wait})


def release_all() -> int:
    """The broker was wiped: everything under way is due at once, uncounted. Returns how many."""
    return sql.count(_RELEASE_ALL, {})


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
    """Have the relay look at these orders at once: a webhook came, a person replays, there is money to give back."""
    return sql.count(_MAKE_DUE, {"ids": list(ids), "only": [status.value for status in only]}) if ids else 0


def reopen(ids: Collection[int], states: Collection[OrderStatus]) -> int:
    """There is something left to do for those that have ended in one of these states. Returns how many."""
    return sql.count(_REOPEN, {"ids": list(ids), "states": [state.value for state in states]})


def schedule(times: Mapping[int, datetime], *, alone: bool = False) -> int:
    """Look at each order at its time, and not before; those that have ended meanwhile are left as they are.

    `alone`: it failed in a batch and is dispatched by itself from now on.
    """
    if not times:
        return 0
    return sql.count(_SCHEDULE, {"ids": list(times), "times": list(times.values()), "alone": alone})


def worker_lost(ids: Collection[int]) -> int:
    """The worker that had these orders is gone: they are due at once, and the attempt counts. Returns how many."""
    return sql.count(_WORKER_LOST, {"ids": list(ids)}) if ids else 0


def release(ids: Collection[int], at: datetime) -> int:
    """Nothing could be tried, because our own database or broker was down: they are due at that time, and the attempt
    does not count. Returns how many."""
    return sql.count(_RELEASE, {"ids": list(ids), "at": at}) if ids else 0


def park(ids: Collection[int], until: datetime) -> None:
    """Nobody looks at these orders before that time, unless they are woken; nothing is counted."""
    sql.count(_PARK, {"ids": list(ids), "until": until})


def wake(parked_until: datetime, limit: int) -> int:
    """Make up to so many of those due that are parked until this time. Returns how many."""
    return sql.count(_WAKE, {"parked_until": parked_until, "limit": limit})


def set_aside(ids: Collection[int], detail: str) -> list[int]:
    """Nobody looks at these orders until a person takes them up again; returns those that somebody would have."""
    return [order_id for (order_id,) in sql.rows(_SET_ASIDE, {"ids": list(ids), "detail": detail[:300]})]


def close(ids: Collection[int]) -> list[int]:
    """Nothing is left to do for these orders."""
    return [order_id for (order_id,) in sql.rows(_CLOSE, {"ids": list(ids)})]


def at_step_since(ids: Collection[int]) -> dict[int, datetime]:
    """When each order came to the step at which it stands: the time of its last event."""
    return dict(sql.rows(_AT_STEP_SINCE, {"ids": list(ids)})) if ids else {}
