"""A backlog: thousands of orders that fall due at one moment, to see how fast the pipeline alone can carry them.

They are placed by SQL straight into the tables, due tomorrow; then one UPDATE makes all of them due now.
"""

import time
from typing import Any, LiteralString

import psycopg

from bench import floor_pipeline
from bench.load import OnAnswer
from bench.run import Run
from bench.running_stack import RunningStack

LINES = 3  # an order
WARM_UP = 200  # orders, so that every worker is up, has its connections and its plans

# Places a backlog. Each order takes three products, a third of the catalogue apart; quantities alternate.
PLACE: LiteralString = """
WITH product AS (
    SELECT sku, name, price_minor, tax_rate_bp, currency, row_number() OVER (ORDER BY sku) - 1 AS nr,
           count(*) OVER () AS products
    FROM catalogue_product WHERE active
), line AS (
    SELECT number, nth, product.*, 1 + number %% 2 AS quantity,
           round((1 + number %% 2) * price_minor * tax_rate_bp / (10000.0 + tax_rate_bp)) AS tax
    FROM generate_series(1, %(orders)s) AS number, generate_series(1, %(lines)s) AS nth, product
    WHERE nr = (number + nth * greatest(products / %(lines)s, 1)) %% products
), wanted AS (
    SELECT number, sum(quantity * price_minor) AS total, sum(tax) AS tax, min(currency) AS currency
    FROM line GROUP BY number
), placed AS (
    INSERT INTO orders_order (token, idempotency_key, fingerprint, email, phone, name, line1, line2, city, postcode,
                              country, payment_method, currency, total_minor, tax_minor, due_at)
    SELECT md5(%(prefix)s || number), %(prefix)s || number, repeat('0', 64), 'buyer-' || number || '@example.com',
           '+447700900' || lpad((number %% 1000)::text, 3, '0'), 'Ada Clarke', '1 High Street', '', 'York', 'ZZ1 1ZZ',
           'GB', 'card', currency, total, tax, now() + interval '1 day'
    FROM wanted ORDER BY number
    RETURNING id, idempotency_key, total_minor, currency
), lines AS (
    INSERT INTO orders_orderline (order_id, position, sku, name, quantity, unit_price_minor, tax_rate_bp)
    SELECT placed.id, nth, sku, line.name, quantity, price_minor, tax_rate_bp
    FROM line JOIN placed ON placed.idempotency_key = %(prefix)s || number
), payment AS (
    INSERT INTO orders_payment (order_id, token, amount_minor, currency)
    SELECT id, 'pm_card_visa', total_minor, currency FROM placed
)
INSERT INTO orders_orderevent (order_id, kind) SELECT id, 'order.placed' FROM placed
"""
# Makes them all due. They count as placed now: nobody could have begun before.
_MAKE_DUE: LiteralString = """
UPDATE orders_order SET due_at = now(), placed_at = now() WHERE idempotency_key LIKE %(prefix)s || '%%'
"""


async def warm_up(stack: RunningStack) -> None:
    """Carry a few orders through, and return when all have ended."""
    await _carry(Run(stack, "warmup"), WARM_UP)


async def measure(stack: RunningStack, orders: int, connections: int) -> tuple[dict[str, Any], list[str]]:
    """Carry a backlog through; returns its figures beside the floor's, and the problems."""
    run = Run(stack, "backlog")
    await _carry(run, orders)
    ended = run.figures.ended
    found: dict[str, Any] = {
        "orders": orders,
        "ended": dict(ended),
        **run.figures.of_pipeline(),
        "floor": await floor_pipeline.measure(run, connections=connections),
    }
    if ended["completed"] != orders:
        run.problems.append(f"backlog: {ended['completed']:,} of {orders:,} orders completed.")
    return found, run.problems


async def _carry(run: Run, orders: int) -> None:
    url = run.stack["DATABASE_URL"]
    async with await psycopg.AsyncConnection.connect(url, autocommit=True) as connection:
        await connection.execute(PLACE, {"orders": orders, "lines": LINES, "prefix": run.prefix})
        # Everything was small a moment ago; a plan made from that would be measured instead of the shop.
        await connection.execute("ANALYZE")

        async def make_due(_: OnAnswer) -> None:
            began = time.monotonic()
            cursor = await connection.execute(_MAKE_DUE, {"prefix": run.prefix})
            run.accepted.update({run.key(number): "" for number in range(1, cursor.rowcount + 1)})
            run.figures.accepting = time.monotonic() - began

        await run.carry(orders, make_due)
