"""Counts how often a step has failed in a row, on the row in which it writes what it asked (orders.workflow.Record).

A failure is uncounted when the provider's breaker turns out to be open: the step should not have asked. That is known
only after the step has written its outcome.
"""

from collections.abc import Collection, Mapping

from orders import sql
from orders.providers.failures import Failure, ProviderError
from orders.workflow import Record

# A failed try of each row, with its reason. Nothing else is known, so nothing else changes.
_COUNT = """
UPDATE $table r SET failures = failures + 1, reason = failed.reason
FROM unnest(%(keys)s::bigint[], %(reasons)s::text[]) AS failed (key, reason)
WHERE r.$key = failed.key AND $open RETURNING r.order_id, r.$key, r.failures
"""
# As if the last try had not been made.
_UNCOUNT = """
UPDATE $table SET failures = failures - 1 WHERE id IN (
    SELECT id FROM $table WHERE order_id = ANY(%(ids)s) AND failures > 0 AND $open ORDER BY id FOR NO KEY UPDATE)
"""


def count_failures(record: Record, errors: Mapping[int, ProviderError]) -> list[Failure]:
    """Count a failed try of each row, by the record's key; returns the orders with how often theirs has failed."""
    if not errors:
        return []
    reasons = [str(error)[:300] for error in errors.values()]
    counted = sql.rows(
        sql.compose(_COUNT, table=record.table, key=record.key, open=record.open),
        {"keys": list(errors), "reasons": reasons},
    )
    return [Failure(order_id, errors[key], failures) for order_id, key, failures in counted]


def uncount(record: Record, ids: Collection[int]) -> None:
    """Uncount the last failure of these orders."""
    sql.count(sql.compose(_UNCOUNT, table=record.table, open=record.open), {"ids": list(ids)})
