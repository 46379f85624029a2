"""What the shop's database says of the orders of one run, which are known by the beginning of their idempotency keys.

It only reads, on a connection of its own that is opened again after the database was away: a benchmark may kill it.
"""

import asyncio
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any, LiteralString

import psycopg

# How many orders there are in each status, those that have ended and those that have not.
_STATUSES: LiteralString = """
SELECT status, ended_at IS NOT NULL, count(*) FROM orders_order WHERE idempotency_key LIKE %(keys)s GROUP BY 1, 2
"""
# Milliseconds from placed to completed, of each completed order.
TO_COMPLETED_MS: LiteralString = """
SELECT 1000 * extract(epoch FROM ended_at - placed_at)::float8 FROM orders_order
WHERE idempotency_key LIKE %(keys)s AND status = 'completed' AND ended_at IS NOT NULL
"""
# Seconds from the first order placed to the last one completed; null if none was.
COMPLETING: LiteralString = """
SELECT extract(epoch FROM max(ended_at) FILTER (WHERE status = 'completed') - min(placed_at))::float8
FROM orders_order WHERE idempotency_key LIKE %(keys)s
"""
# A few orders that have not ended, for people to look at.
UNENDED: LiteralString = """
SELECT id FROM orders_order WHERE idempotency_key LIKE %(keys)s AND ended_at IS NULL ORDER BY id LIMIT 5
"""
# Which of these products the shop sells.
_ON_SALE: LiteralString = "SELECT sku FROM catalogue_product WHERE active AND sku = ANY(%(skus)s)"
_RETRY_SECONDS = 0.5


class Books:
    """The database at `url`, of orders whose key begins with `prefix`."""

    def __init__(self, url: str, prefix: str) -> None:
        self._url = url
        self._params = {"keys": f"{prefix}%"}
        self._connection: psycopg.Connection[Any] | None = None

    async def statuses(self) -> tuple[Counter[str], Counter[str]]:
        """How many orders there are in each status: those that have ended, and those that have not."""
        ended: Counter[str] = Counter()
        under_way: Counter[str] = Counter()
        for status, has_ended, count in await self.rows(_STATUSES):
            (ended if has_ended else under_way)[status] += count
        return ended, under_way

    async def on_sale(self, skus: Sequence[str]) -> list[str]:
        """Those of the SKUs that the shop sells, in the same order."""
        found = set(await self.column(_ON_SALE, {"skus": list(skus)}))
        return [sku for sku in skus if sku in found]

    async def value(self, statement: LiteralString, params: Mapping[str, Any] | None = None) -> Any:
        """The only value that a statement finds."""
        [[value]] = await self.rows(statement, params)
        return value

    async def column(self, statement: LiteralString, params: Mapping[str, Any] | None = None) -> list[Any]:
        """The only column that a statement finds."""
        return [row[0] for row in await self.rows(statement, params)]

    async def rows(
        self, statement: LiteralString, params: Mapping[str, Any] | None = None
    ) -> Sequence[tuple[Any, ...]]:
        """Run one reading statement; `keys` is the run's pattern in it. Waits for a database that is away."""
        while True:
            try:
                return await asyncio.to_thread(self._rows, statement, {**self._params, **(params or {})})
            except psycopg.OperationalError:
                await self.close()
                await asyncio.sleep(_RETRY_SECONDS)

    def _rows(self, statement: LiteralString, params: Mapping[str, Any]) -> Sequence[tuple[Any, ...]]:
        # In a thread: an asynchronous connection, opened after the server had been killed under the one before, was
        # seen to wait for ever for an answer that the server had sent.
        if self._connection is None:
            self._connection = psycopg.connect(self._url, autocommit=True, connect_timeout=5)
        return self._connection.execute(statement, params).fetchall()

    async def close(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None
