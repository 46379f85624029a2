"""The floor under our figures: what PostgreSQL itself takes to write the same rows, with no shop in front of it.

The rows of the run's own orders, lines, payments and events are read back and written again by bare SQL: one prepared
statement an order, each its own transaction with its own fsync, over as many connections as there were buyers. They
go into tables made like ours, with the same constraints and indexes, in a schema that is dropped afterwards. The
clients are processes of their own, one a core, as one alone would be the limit.
"""

import asyncio
import os
import time
from collections.abc import AsyncIterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import asynccontextmanager
from multiprocessing import get_context
from typing import Any, LiteralString

import psycopg
import uvloop
from psycopg import sql

from bench.figures import rate, spread
from bench.load import due_at
from bench.run import Run

MOST_CONNECTIONS = 64  # PostgreSQL takes 200, and the house has its own
MOST_ORDERS = 20_000
SCHEMA = "bench_floor"
_TABLES = ("orders_order", "orders_orderline", "orders_payment", "orders_orderevent")

_ROWS: LiteralString = """
SELECT o.token, o.idempotency_key, o.fingerprint, o.email, o.phone, o.name, o.line1, o.line2, o.city, o.postcode,
       o.country, o.payment_method, o.currency, o.total_minor, o.tax_minor, coalesce(p.token, ''),
       l.skus, l.names, l.quantities, l.prices, l.taxes
FROM orders_order o
LEFT JOIN orders_payment p ON p.order_id = o.id
CROSS JOIN LATERAL (
    SELECT array_agg(sku::text), array_agg(name::text), array_agg(quantity), array_agg(unit_price_minor),
           array_agg(tax_rate_bp) FROM orders_orderline WHERE order_id = o.id
) AS l (skus, names, quantities, prices, taxes)
WHERE o.idempotency_key LIKE %(keys)s ORDER BY o.id LIMIT %(limit)s
"""
_WRITE: LiteralString = """
WITH placed AS (
    INSERT INTO orders_order (token, idempotency_key, fingerprint, email, phone, name, line1, line2, city, postcode,
                              country, payment_method, currency, total_minor, tax_minor)
    VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s)
    RETURNING id, payment_method, total_minor, currency
), payment AS (
    INSERT INTO orders_payment (order_id, token, amount_minor, currency)
    SELECT id, %s, total_minor, currency FROM placed WHERE payment_method = 'card'
), lines AS (
    INSERT INTO orders_orderline (order_id, position, sku, name, quantity, unit_price_minor, tax_rate_bp)
    SELECT placed.id, line.position, line.sku, line.name, line.quantity, line.price, line.tax
    FROM placed, unnest(%s::text[], %s::text[], %s::int[], %s::bigint[], %s::int[])
         WITH ORDINALITY AS line (sku, name, quantity, price, tax, position)
)
INSERT INTO orders_orderevent (order_id, kind) SELECT id, 'order.placed' FROM placed
"""

Row = tuple[Any, ...]


async def of_placing(run: Run, *, connections: int, per_second: float = 0.0) -> dict[str, Any]:
    """Write the run's orders again by bare SQL, as fast as it goes or at `per_second` in an open loop."""
    url = run.house["DATABASE_URL"]
    rows = list(await run.books.rows(_ROWS, {"limit": MOST_ORDERS}))
    await run.books.close()
    clients = min(os.cpu_count() or 1, connections)
    async with scratch(url, _TABLES):
        loop = asyncio.get_running_loop()
        with ProcessPoolExecutor(clients, mp_context=get_context("spawn")) as processes:
            # The clients take some time to start: they all begin at one moment that lies ahead.
            begin = time.time() + 1.5
            shares = await asyncio.gather(
                *(
                    loop.run_in_executor(
                        processes,
                        _client,
                        url,
                        rows[client::clients],
                        _share(connections, client, clients),
                        per_second / clients,
                        begin,
                    )
                    for client in range(clients)
                )
            )
    ended = max(end for end, _ in shares)
    return {
        "what": "the same rows by bare SQL, one statement and one commit an order",
        "connections": connections,
        "orders": len(rows),
        "accepted_per_s": rate(len(rows), ended - begin),
        "post_ms": spread([ms for _, times in shares for ms in times]),
    }


@asynccontextmanager
async def scratch(url: str, tables: Sequence[str]) -> AsyncIterator[None]:
    """Empty tables like ours in a schema of their own, for as long as the `async with` lasts."""
    async with await psycopg.AsyncConnection.connect(url, autocommit=True) as connection:
        drop = sql.SQL("DROP SCHEMA IF EXISTS {} CASCADE").format(sql.Identifier(SCHEMA))
        await connection.execute(drop)
        await connection.execute(sql.SQL("CREATE SCHEMA {}").format(sql.Identifier(SCHEMA)))
        try:
            for table in tables:
                await connection.execute(
                    sql.SQL("CREATE TABLE {} (LIKE {} INCLUDING ALL)").format(
                        sql.Identifier(SCHEMA, table), sql.Identifier("public", table)
                    )
                )
            # LIKE leaves foreign keys out, and checking them is part of the work.
            for table in tables[1:]:
                if "order_id" in await _columns(connection, table):
                    await connection.execute(
                        sql.SQL(
                            "ALTER TABLE {} ADD FOREIGN KEY (order_id) REFERENCES {} DEFERRABLE INITIALLY DEFERRED"
                        ).format(sql.Identifier(SCHEMA, table), sql.Identifier(SCHEMA, tables[0]))
                    )
            yield
        finally:
            await connection.execute(drop)


async def connect(url: str) -> psycopg.AsyncConnection[Any]:
    """A connection that finds the scratch tables first; statements are prepared at their first use."""
    return await psycopg.AsyncConnection.connect(
        url, autocommit=True, options=f"-c search_path={SCHEMA},public", prepare_threshold=0
    )


async def _columns(connection: psycopg.AsyncConnection[Any], table: str) -> set[str]:
    cursor = await connection.execute(
        "SELECT attname FROM pg_attribute WHERE attrelid = %s::regclass AND attnum > 0 AND NOT attisdropped",
        (f"{SCHEMA}.{table}",),
    )
    return {row[0] for row in await cursor.fetchall()}


def _share(connections: int, client: int, clients: int) -> int:
    return max(1, len(range(client, connections, clients)))


def _client(
    url: str, rows: list[Row], connections: int, per_second: float, begin: float
) -> tuple[float, list[float]]:
    """One client process: when it was done (system clock), and the milliseconds of each order."""
    return uvloop.run(_write(url, rows, connections, per_second, begin))


async def _write(
    url: str, rows: list[Row], connections: int, per_second: float, begin: float
) -> tuple[float, list[float]]:
    waiting = iter(enumerate(rows))
    times: list[float] = []
    opened = [await connect(url) for _ in range(connections)]

    async def hand(connection: psycopg.AsyncConnection[Any]) -> None:
        for index, row in waiting:
            wanted_at = due_at(begin, per_second, index) if per_second else time.time()
            if (wait := wanted_at - time.time()) > 0:
                await asyncio.sleep(wait)
            await connection.execute(_WRITE, row)
            times.append(1000 * (time.time() - wanted_at))

    try:
        await asyncio.sleep(max(0.0, begin - time.time()))
        await asyncio.gather(*(hand(connection) for connection in opened))
        return time.time(), times
    finally:
        for connection in opened:
            await connection.close()
