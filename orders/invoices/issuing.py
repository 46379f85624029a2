"""Issuing invoices: a number without gaps and the seller as of today; the lines are the order's and never change."""

from collections.abc import Collection
from typing import LiteralString

from django.conf import settings
from django.db import transaction

from orders import sql
from orders.crashpoints import Point, reached
from orders.locking import lock_orders
from orders.states import OrderStatus

INVOICEABLE = (OrderStatus.RESERVED, OrderStatus.PAID, OrderStatus.COMPLETED)

# The counter's row lock makes issuing wait for issuing: a number is taken only by a transaction that uses it.
_ISSUE: LiteralString = """
WITH missing AS (
    SELECT o.id, row_number() OVER (ORDER BY o.id) AS place FROM orders_order o
    WHERE o.id = ANY(%(ids)s) AND (o.status <> 'reserved' OR o.payment_method = 'cod')
      AND NOT EXISTS (SELECT FROM orders_document d WHERE d.order_id = o.id AND d.kind = 'invoice')
), counter AS (
    INSERT INTO orders_invoicecounter (id, last) SELECT 1, count(*) FROM missing
    ON CONFLICT (id) DO UPDATE SET last = orders_invoicecounter.last + excluded.last
    RETURNING last - (SELECT count(*) FROM missing) AS before
)
INSERT INTO orders_document (order_id, kind, serial, seller)
SELECT missing.id, 'invoice', counter.before + missing.place, %(seller)s FROM missing, counter ORDER BY missing.id
"""


def issue(ids: Collection[int]) -> list[int]:
    """Issue the invoice of each order that is paid, or cash on delivery and reserved; returns those orders' ids.

    The orders' locks make a repeated task see the rows of the first.
    """
    with transaction.atomic():
        ready = lock_orders(ids, INVOICEABLE)
        if ready:
            sql.count(_ISSUE, {"ids": ready, "seller": settings.SELLER})
        reached(Point.INVOICE_BEFORE_COMMIT, ids)
    reached(Point.INVOICE_AFTER_COMMIT, ids)
    return ready
