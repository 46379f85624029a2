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
from contextlib import AsyncExitStack, asynccontextmanager
from multiprocessing import get_context
from multiprocessing.synchronize import Barrier
from typing import Any, LiteralString

import psycopg
import uvloop

from bench.figures import rate, spread
from bench.load import due_at
from bench.run import Run

MOST_CONNECTIONS = 64  # PostgreSQL takes 200, and the stack needs some
MOST_ORDERS = 20_000
START_SECONDS = 60.0  # for all clients to be up
SCHEMA: LiteralString = "bench_floor"
_DROP: LiteralString = f"DROP SCHEMA IF EXISTS {SCHEMA} CASCADE"
_TABLES = ("orders_order", "orders_orderline", "orders_payment", "orders_orderevent")

# What the run's orders were placed with.
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
# Places an order, as orders.placing does without asking for prices.
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

Connection = psycopg.AsyncConnection[Any]
Row = tuple[Any, ...]
# Of one client: when it began and ended (system clock), and the milliseconds of each order.
Share = tuple[float, float, list[float]]


async def of_placing(
    run: Run, *, connections: int, per_second: float = 0.0, limit: int = MOST_ORDERS
) -> dict[str, Any]:
    """Write up to `limit` of the run's orders again, as fast as it goes or at `per_second` in an open loop."""
    url = run.stack["DATABASE_URL"]
    rows = list(await run.books.rows(_ROWS, {"limit": limit}))
    await run.books.close()
    clients = min(os.cpu_count() or 1, connections)
    context = get_context("spawn")
    async with scratch(url, _TABLES):
        loop = asyncio.get_running_loop()
        # Clients take their time to start: they wait for each other, and are measured from then on.
        ready = context.Barrier(clients, timeout=START_SECONDS)
        with ProcessPoolExecutor(clients, context, _share_barrier, (ready,)) as processes:
            work = [
                (url, rows[client::clients], len(range(client, connections, clients)), per_second / clients)
                for client in range(clients)
            ]
            shares = await asyncio.gather(
                *(loop.run_in_executor(processes, _client, *share) for share in work)
            )
    seconds = max(ended for _, ended, _ in shares) - min(began for began, _, _ in shares)
    return {
        "what": "the same rows by bare SQL, one statement and one commit an order",
        "connections": connections,
        "orders": len(rows),
        "accepted_per_s": rate(len(rows), seconds),
        "post_ms": spread([ms for _, _, times in shares for ms in times]),
    }


@asynccontextmanager
async def scratch(
    url: str, of_orders: Sequence[LiteralString], others: Sequence[LiteralString] = ()
) -> AsyncIterator[None]:
    """Empty tables like ours in a schema of their own, for as long as the `async with` lasts.

    `of_orders` begins with the table of orders, which the rest of it refer to.
    """
    async with await Connection.connect(url, autocommit=True) as connection:
        await connection.execute(_DROP)
        await connection.execute(f"CREATE SCHEMA {SCHEMA}")
        try:
            for table in (*of_orders, *others):
                await connection.execute(f"CREATE TABLE {SCHEMA}.{table} (LIKE public.{table} INCLUDING ALL)")
            # LIKE leaves foreign keys out, and checking them is part of the work.
            orders, *rest = of_orders
            for table in rest:
                await connection.execute(
                    f"ALTER TABLE {SCHEMA}.{table} ADD FOREIGN KEY (order_id) REFERENCES {SCHEMA}.{orders} "
                    "DEFERRABLE INITIALLY DEFERRED"
                )
            yield
        finally:
            await connection.execute(_DROP)


@asynccontextmanager
async def connected(url: str, count: int) -> AsyncIterator[list[Connection]]:
    """So many connections that find the scratch tables first; statements are prepared at their first use."""
    found = f"-c search_path={SCHEMA},public"
    async with AsyncExitStack() as opened:
        yield [
            await opened.enter_async_context(
                await Connection.connect(url, autocommit=True, options=found, prepare_threshold=0)
            )
            for _ in range(count)
        ]


_ready: Barrier | None = None


def _share_barrier(ready: Barrier) -> None:
    global _ready
    _ready = ready


def _client(url: str, rows: list[Row], connections: int, per_second: float) -> Share:
    """One client process."""
    return uvloop.run(_write(url, rows, connections, per_second))


async def _write(url: str, rows: list[Row], connections: int, per_second: float) -> Share:
    waiting = iter(enumerate(rows))
    times: list[float] = []

    async def hand(connection: Connection) -> None:
        for index, row in waiting:
            wanted_at = due_at(began, per_second, index) if per_second else time.time()
            if (wait := wanted_at - time.time()) > 0:
                await asyncio.sleep(wait)
            await connection.execute(_WRITE, row)
            times.append(1000 * (time.time() - wanted_at))

    async with connected(url, connections) as opened:
        if _ready is not None:
            _ready.wait()
        began = time.time()
        await asyncio.gather(*map(hand, opened))
        return began, time.time(), times
