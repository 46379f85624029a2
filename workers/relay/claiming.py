"""The one query behind outbox, retry timer, crash recovery and replay: take what is due, under a lease."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import timedelta
from typing import LiteralString

from orders import sql
from orders.scheduling import LEASE

# MATERIALIZED, here and below: looked up anew for each row of a nested loop, "the next so many that nobody has locked"
# would be others each time, and far more than the limit would be claimed.
_CLAIM_ORDERS: LiteralString = """
WITH due AS MATERIALIZED (
    SELECT id FROM orders_order WHERE due_at <= now() ORDER BY due_at LIMIT %(limit)s FOR NO KEY UPDATE SKIP LOCKED
), claimed AS (
    UPDATE orders_order o
    SET due_at = now() + %(lease)s, attempts = o.attempts + 1, attempts_total = o.attempts_total + 1
    FROM due WHERE o.id = due.id
    RETURNING o.id, o.status, o.payment_method, o.attempts, o.alone
), noted AS (
    INSERT INTO workers_claim (order_ids, lease_until)
    SELECT array_agg(id), now() + %(lease)s FROM claimed HAVING count(*) > 0 RETURNING id
)
SELECT claimed.*, noted.id FROM claimed CROSS JOIN noted
"""
_FORGET: LiteralString = "DELETE FROM workers_claim WHERE id = %(claim)s"
# Only who stands as the claim left him: whoever was rung for after all has a lease of his own, or has ended.
_TAKE_BACK_UNRUNG: LiteralString = """
WITH unrung AS (
    DELETE FROM workers_claim WHERE claimed_at < now() - %(patience)s RETURNING order_ids, lease_until
), held AS (
    SELECT o.id FROM orders_order o JOIN unrung ON o.id = ANY(unrung.order_ids) AND o.due_at = unrung.lease_until
    ORDER BY o.id FOR NO KEY UPDATE OF o
)
UPDATE orders_order o SET due_at = now(), attempts = attempts - 1, attempts_total = attempts_total - 1
FROM held WHERE o.id = held.id AND o.attempts > 0
"""
_ANY_DUE: LiteralString = "SELECT EXISTS (SELECT FROM orders_order WHERE due_at <= now())"
# Whoever held it has not been heard of for longer than its lease. What counts as a drive is a renderer that begins.
_CLAIM_DOCUMENTS: LiteralString = """
WITH due AS MATERIALIZED (
    SELECT id FROM orders_document WHERE due_at <= now() ORDER BY due_at LIMIT %(limit)s FOR NO KEY UPDATE SKIP LOCKED
)
UPDATE orders_document d SET due_at = now() + %(lease)s, holder = NULL FROM due WHERE d.id = due.id
RETURNING d.id, d.attempts
"""
_CLAIM_PRINTOUTS: LiteralString = """
WITH due AS MATERIALIZED (
    SELECT id FROM orders_printout WHERE due_at <= now() ORDER BY due_at LIMIT %(limit)s FOR NO KEY UPDATE SKIP LOCKED
)
UPDATE orders_printout p SET due_at = now() + %(lease)s, holder = NULL FROM due WHERE p.id = due.id
RETURNING p.id
"""
# Longer than ringing for a claim takes, the broker's time-outs included: then whoever claimed it has died.
UNRUNG = timedelta(seconds=5)
# Not rung after all: as if it had not been claimed.
_TAKE_BACK: LiteralString = """
UPDATE orders_order
SET due_at = now() + %(wait)s, attempts = greatest(attempts - 1, 0), attempts_total = attempts_total - 1
WHERE id = ANY(%(ids)s) AND attempts > 0
"""
# Whatever was under way was known to the broker alone, and the broker forgot it.
_TAKE_ALL_BACK: LiteralString = """
UPDATE orders_order SET due_at = now(), attempts = attempts - 1 WHERE attempts > 0 AND due_at IS NOT NULL
"""


@dataclass(frozen=True, slots=True)
class Due:
    """A claimed order: `attempts` counts this drive; `alone` says that it failed in company before; `claim` is the note
    of all that were claimed with it."""

    order_id: int
    status: str
    payment_method: str
    attempts: int
    alone: bool
    claim: int


def any_due() -> bool:
    """Whether an order is due: the cheap question of a quiet shop."""
    [(found,)] = sql.rows(_ANY_DUE, {})
    return bool(found)


def claim_orders(limit: int) -> list[Due]:
    """Lease up to `limit` due orders; relays that run side by side never get the same one.

    Call `forget_claim` when all of them are rung for: until then they are noted, for the case that the relay dies.
    """
    return [Due(*row) for row in sql.rows(_CLAIM_ORDERS, {"limit": limit, "lease": LEASE})]


def forget_claim(claim: int) -> None:
    """All that was claimed is rung for, or was given back."""
    sql.count(_FORGET, {"claim": claim})


def take_back_unrung() -> int:
    """Have what a relay claimed and died over looked at again at once, uncounted. Returns how many orders."""
    return sql.count(_TAKE_BACK_UNRUNG, {"patience": UNRUNG})


def claim_documents(limit: int, lease: timedelta) -> list[tuple[int, int]]:
    """Lease up to `limit` documents whose PDF is due; (id, attempts) each."""
    return [(row[0], row[1]) for row in sql.rows(_CLAIM_DOCUMENTS, {"limit": limit, "lease": lease})]


def claim_printouts(limit: int, lease: timedelta) -> list[int]:
    """Lease up to `limit` printouts that are due; their ids."""
    return [row[0] for row in sql.rows(_CLAIM_PRINTOUTS, {"limit": limit, "lease": lease})]


def take_back(ids: Collection[int], wait: timedelta = timedelta(0)) -> None:
    """Give claimed orders back unrung, due again after `wait`; the drive does not count."""
    sql.count(_TAKE_BACK, {"ids": list(ids), "wait": wait})


def take_all_back() -> int:
    """The broker was wiped: everything under way is due again, at once and without counting. Returns how many."""
    return sql.count(_TAKE_ALL_BACK, {})
