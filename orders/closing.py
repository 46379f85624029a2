"""Ending an order: `complete` when all that was promised is done, `close` when a failed one has been cleared up.

Whether all is done is read from the rows of the steps, in the transaction that ends the order: no chord's counter and
no message decides it.
"""

from collections.abc import Collection
from typing import LiteralString

from django.db import transaction

from orders import scheduling, sql
from orders.crashpoints import Point, reached
from orders.locking import lock_orders
from orders.states import FAILED_STATES, OrderStatus

_FULFILLED: LiteralString = """
SELECT o.id FROM orders_order o
WHERE o.id = ANY(%(ids)s)
  AND (o.status = 'paid' OR o.status = 'reserved' AND o.payment_method = 'cod')
  AND EXISTS (SELECT FROM orders_shipment s WHERE s.order_id = o.id AND s.status = 'booked')
  AND EXISTS (SELECT FROM orders_document d WHERE d.order_id = o.id AND d.kind = 'invoice')
  AND 2 = (SELECT count(*) FROM orders_notification n
           WHERE n.order_id = o.id AND n.kind = 'confirmation' AND n.status IN ('sent', 'failed'))
"""
_CLEARED: LiteralString = """
SELECT o.id FROM orders_order o
WHERE o.id = ANY(%(ids)s)
  AND NOT EXISTS (SELECT FROM orders_payment p WHERE p.order_id = o.id AND o.status <> 'completed'
                  AND p.status NOT IN ('pending', 'declined', 'voided', 'refunded'))
  AND NOT EXISTS (SELECT FROM orders_refund r WHERE r.order_id = o.id AND r.status = 'requested')
  AND NOT EXISTS (SELECT FROM orders_stockmovement m WHERE m.order_id = o.id AND m.kind = 'reserved'
                  AND NOT EXISTS (SELECT FROM orders_stockmovement r WHERE r.order_id = m.order_id
                                  AND r.sku = m.sku AND r.kind IN ('released', 'sold')))
  AND 2 = (SELECT count(*) FROM orders_notification n
           WHERE n.order_id = o.id AND n.status IN ('sent', 'failed')
             AND n.kind = CASE o.status WHEN 'completed' THEN 'confirmation' ELSE o.status END)
"""
_DELIVERABLE = (OrderStatus.RESERVED, OrderStatus.PAID)
_CLOSABLE = (*FAILED_STATES, OrderStatus.REFUNDED, OrderStatus.COMPLETED)


def complete(ids: Collection[int]) -> list[int]:
    """Complete those of the orders for which nothing is left to do; the others go on as their steps have set them."""
    with transaction.atomic():
        ready = sql.rows(_FULFILLED, {"ids": lock_orders(ids, _DELIVERABLE)})
        completed = scheduling.advance(
            [order_id for (order_id,) in ready], _DELIVERABLE, OrderStatus.COMPLETED, then="end"
        )
        reached(Point.COMPLETE_BEFORE_COMMIT, ids)
    reached(Point.COMPLETE_AFTER_COMMIT, ids)
    return completed


def close(ids: Collection[int]) -> list[int]:
    """End those of the failed orders that hold neither stock nor money and whose customer was told, and completed
    ones whose customer was told late."""
    with transaction.atomic():
        ready = sql.rows(_CLEARED, {"ids": lock_orders(ids, _CLOSABLE)})
        closed = scheduling.close([order_id for (order_id,) in ready])
        reached(Point.CLOSE_BEFORE_COMMIT, ids)
    reached(Point.CLOSE_AFTER_COMMIT, ids)
    return closed
