"""The floor under the pipeline: the row changes of an order's whole way as bare set-based SQL, a hundred at once.

The same tables, indexes and transactions as the steps of `orders` write, without Django, Celery, the broker or any
provider: what PostgreSQL takes by itself. Each connection carries a batch from placed to completed, then the next.
"""

import asyncio
import time
from typing import Any, LiteralString

from bench.figures import rate
from bench.floor import Connection, connected, scratch
from bench.run import Run

BATCH = 100
_OF_ORDERS = (
    "orders_order", "orders_orderline", "orders_payment", "orders_orderevent", "orders_notification",
    "orders_document", "orders_shipment",
)  # fmt: skip
_OTHERS = ("orders_stockitem", "orders_stockmovement", "orders_invoicecounter")

# Fills the scratch tables, to which unqualified names refer (see floor.connected).
_SEED: tuple[LiteralString, ...] = (
    "INSERT INTO orders_order SELECT * FROM public.orders_order WHERE idempotency_key LIKE %(keys)s",
    "UPDATE orders_order SET status = 'placed', due_at = now(), attempts = 0, ended_at = NULL",
    "INSERT INTO orders_orderline SELECT l.* FROM public.orders_orderline l JOIN orders_order o ON o.id = l.order_id",
    "INSERT INTO orders_payment (order_id, token, amount_minor, currency) "
    "SELECT id, 'pm_card_visa', total_minor, currency FROM orders_order",
    "INSERT INTO orders_orderevent (order_id, kind) SELECT id, 'order.placed' FROM orders_order",
    "INSERT INTO orders_stockitem (sku, stocked, on_hand, reserved, sold) "
    "SELECT sku, 10000000, 10000000, 0, 0 FROM orders_orderline GROUP BY sku",
    "INSERT INTO orders_invoicecounter (last) VALUES (0)",
    "ANALYZE orders_order, orders_orderline, orders_payment, orders_stockitem",
)

# Locks the stock of the batch in SKU order.
_LOCK_STOCK: LiteralString = """
SELECT FROM orders_stockitem WHERE sku IN (SELECT sku FROM orders_orderline WHERE order_id = ANY(%(ids)s))
ORDER BY sku FOR NO KEY UPDATE
"""
# Writes the stock ledger.
_MOVE: LiteralString = """
INSERT INTO orders_stockmovement (sku, order_id, kind, quantity)
SELECT sku, order_id, %(movement)s, quantity FROM orders_orderline WHERE order_id = ANY(%(ids)s)
"""
# Takes the pieces off the shelf.
_RESERVE: LiteralString = """
UPDATE orders_stockitem s SET on_hand = on_hand - taken.pieces, reserved = reserved + taken.pieces
FROM (SELECT sku, sum(quantity) AS pieces FROM orders_orderline WHERE order_id = ANY(%(ids)s) GROUP BY sku) AS taken
WHERE s.sku = taken.sku
"""
# Hands the reserved pieces over.
_SELL: LiteralString = """
UPDATE orders_stockitem s SET reserved = reserved - gone.pieces, sold = sold + gone.pieces
FROM (SELECT sku, sum(quantity) AS pieces FROM orders_orderline WHERE order_id = ANY(%(ids)s) GROUP BY sku) AS gone
WHERE s.sku = gone.sku
"""
# Moves the orders to their next status, extends their lease and logs it.
_ADVANCE: LiteralString = """
WITH moved AS (
    UPDATE orders_order SET status = %(status)s, due_at = now() + interval '20 s', attempts = 1
    WHERE id = ANY(%(ids)s) RETURNING id
)
INSERT INTO orders_orderevent (order_id, kind) SELECT id, 'order.' || %(status)s FROM moved
"""
# Ends the orders.
_END: LiteralString = """
WITH moved AS (
    UPDATE orders_order SET status = 'completed', due_at = NULL, attempts = 0, ended_at = clock_timestamp()
    WHERE id = ANY(%(ids)s) RETURNING id
)
INSERT INTO orders_orderevent (order_id, kind) SELECT id, 'order.completed' FROM moved
"""
# The relay's claim.
_CLAIM: LiteralString = (
    "UPDATE orders_order SET due_at = now() + interval '20 s', attempts = 1 WHERE id = ANY(%(ids)s)"
)
# What is committed before the call to the payment provider, and after it.
_ASK: LiteralString = """
UPDATE orders_payment SET status = 'requested', requested_at = now(), updated_at = now() WHERE order_id = ANY(%(ids)s)
"""
# ... after it: captured.
_CAPTURE: LiteralString = """
UPDATE orders_payment SET status = 'captured', reference = 'pi_' || order_id, captured_minor = amount_minor,
                          updated_at = now() WHERE order_id = ANY(%(ids)s)
"""
# What is committed before a message is sent, and after it.
_REQUEST_MESSAGE: LiteralString = """
INSERT INTO orders_notification (order_id, channel, kind) SELECT unnest(%(ids)s::bigint[]), %(channel)s, 'confirmation'
"""
# ... after it: sent.
_MESSAGE_SENT: LiteralString = """
UPDATE orders_notification SET status = 'sent', sent_at = now(), reference = 'sm_' || order_id
WHERE order_id = ANY(%(ids)s) AND channel = %(channel)s
"""
# Issues the invoices, with numbers from the one counter.
_INVOICE: LiteralString = """
WITH counter AS (UPDATE orders_invoicecounter SET last = last + cardinality(%(ids)s::bigint[]) RETURNING last)
INSERT INTO orders_document (order_id, kind, serial, seller, due_at)
SELECT id, 'invoice', last - nth + 1, 'Stampede Ltd', NULL
FROM counter, unnest(%(ids)s::bigint[]) WITH ORDINALITY AS wanted (id, nth)
"""
# What is committed before the call to the carrier, and after it.
_REQUEST_PARCEL: LiteralString = "INSERT INTO orders_shipment (order_id) SELECT unnest(%(ids)s::bigint[])"
# ... after it: booked, and the stock is sold.
_PARCEL_BOOKED: LiteralString = """
WITH booked AS (
    UPDATE orders_shipment SET status = 'booked', booked_at = now(), carrier = 'Sandbox Post',
                               tracking_number = 'SP' || order_id WHERE order_id = ANY(%(ids)s) RETURNING order_id
)
INSERT INTO orders_orderevent (order_id, kind) SELECT order_id, 'order.shipped' FROM booked
"""
# What the feed marks when the events are published.
_PUBLISHED: LiteralString = "UPDATE orders_orderevent SET published_at = now() WHERE order_id = ANY(%(ids)s)"

# The transactions of an order's way, as the relay and the steps write them.
_WAY: tuple[tuple[tuple[LiteralString, dict[str, str]], ...], ...] = (
    ((_CLAIM, {}),),
    (
        (_LOCK_STOCK, {}),
        (_MOVE, {"movement": "reserved"}),
        (_RESERVE, {}),
        (_ADVANCE, {"status": "reserved"}),
    ),
    ((_ASK, {}),),
    ((_CAPTURE, {}), (_ADVANCE, {"status": "paid"})),
    ((_REQUEST_MESSAGE, {"channel": "email"}),),
    ((_MESSAGE_SENT, {"channel": "email"}),),
    ((_REQUEST_MESSAGE, {"channel": "sms"}),),
    ((_MESSAGE_SENT, {"channel": "sms"}),),
    ((_INVOICE, {}),),
    ((_REQUEST_PARCEL, {}),),
    ((_PARCEL_BOOKED, {}), (_LOCK_STOCK, {}), (_MOVE, {"movement": "sold"}), (_SELL, {})),
    ((_END, {}),),
    ((_PUBLISHED, {}),),
)


async def measure(run: Run, *, connections: int) -> dict[str, Any]:
    """Carry copies of the run's orders by bare SQL; returns how many a second."""
    url = run.stack["DATABASE_URL"]
    keys = {"keys": f"{run.prefix}%"}
    async with scratch(url, _OF_ORDERS, _OTHERS), connected(url, connections) as opened:
        for statement in _SEED:
            await opened[0].execute(statement, keys if "%(keys)s" in statement else None)
        cursor = await opened[0].execute("SELECT id FROM orders_order ORDER BY id")
        ids = [id for (id,) in await cursor.fetchall()]
        batches = iter([ids[start : start + BATCH] for start in range(0, len(ids), BATCH)])

        async def hand(connection: Connection) -> None:
            for batch in batches:
                for transaction in _WAY:
                    async with connection.transaction():
                        for statement, params in transaction:
                            await connection.execute(statement, {"ids": batch, **params})

        began = time.monotonic()
        await asyncio.gather(*map(hand, opened))
        seconds = time.monotonic() - began
    return {
        "what": "the same row changes as bare set-based SQL, batches of 100, no broker and no providers",
        "connections": connections,
        "completed_per_s": rate(len(ids), seconds),
    }
