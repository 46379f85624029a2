"""The one order in which rows are locked: orders by id, then stock by SKU.

Every transaction that changes several orders or stock rows takes its locks here first, so that two of them never
deadlock. The locks are held for a few statements, and never while waiting for a network.
"""

from collections.abc import Collection
from typing import LiteralString

from orders import sql
from orders.states import OrderStatus

# Those of the orders that are in one of the states.
_LOCK_ORDERS: LiteralString = """
SELECT id FROM orders_order WHERE id = ANY(%(ids)s) AND status = ANY(%(statuses)s) ORDER BY id FOR NO KEY UPDATE
"""
# Stock, with what is free to sell.
_LOCK_STOCK: LiteralString = """
SELECT sku, on_hand FROM orders_stockitem WHERE sku = ANY(%(skus)s) ORDER BY sku FOR NO KEY UPDATE
"""


def lock_orders(ids: Collection[int], statuses: Collection[OrderStatus]) -> list[int]:
    """Lock those of the orders that are in one of the states; returns their ids in the order they were locked.

    A late worker, whose orders have moved on, gets fewer or none, and must do nothing for the rest.
    """
    found = sql.rows(_LOCK_ORDERS, {"ids": list(ids), "statuses": [status.value for status in statuses]})
    return [order_id for (order_id,) in found]


def lock_stock(skus: Collection[str]) -> dict[str, int]:
    """Lock stock rows; returns what is on hand of each. An SKU that was never stocked is absent."""
    return dict(sql.rows(_LOCK_STOCK, {"skus": list(skus)}))
