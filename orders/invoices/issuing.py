"""Issuing invoices and credit notes: a number without gaps and the seller as of today.

All else that they say stands in rows that never change: the order's lines, address and sums, the refund's lines. So
issuing is one short statement, and the PDF follows when somebody has time or asks.

An invoice is credited by the refund that promises its money back, and by the cancellation that ends its order; each
calls `credit` in its own transaction, so that there is no promise without its credit note.
"""

from collections.abc import Collection, Mapping
from typing import Any, LiteralString

from django.conf import settings
from django.db import transaction

from orders import sql
from orders.crashpoints import Point, reached
from orders.locking import lock_orders
from orders.models.document import CREDIT_NOTES, INVOICES
from orders.states import OrderStatus

INVOICEABLE = (OrderStatus.RESERVED, OrderStatus.PAID, OrderStatus.COMPLETED)

# The counter's row lock makes issuing wait for issuing: a number is taken only by a transaction that uses it. Whoever
# has nothing to issue does not touch it.
_ISSUE: LiteralString = """
WITH missing AS (
    SELECT o.id, row_number() OVER (ORDER BY o.id) AS place FROM orders_order o
    WHERE o.id = ANY(%(ids)s) AND (o.status <> 'reserved' OR o.payment_method = 'cod')
      AND NOT EXISTS (SELECT FROM orders_document d WHERE d.order_id = o.id AND d.kind = 'invoice')
), counter AS (
    INSERT INTO orders_invoicecounter (id, last) SELECT %(counter)s, count(*) FROM missing HAVING count(*) > 0
    ON CONFLICT (id) DO UPDATE SET last = orders_invoicecounter.last + excluded.last
    RETURNING last - (SELECT count(*) FROM missing) AS before
)
INSERT INTO orders_document (order_id, kind, serial, seller, seller_vat_id, seller_country)
SELECT missing.id, 'invoice', counter.before + missing.place, %(seller)s, %(vat_id)s, %(country)s
FROM missing, counter ORDER BY missing.id
"""
_CREDIT: LiteralString = """
WITH owed AS (
    SELECT r.order_id, r.id AS refund_id FROM orders_refund r
    WHERE r.order_id = ANY(%(ids)s) AND NOT EXISTS (SELECT FROM orders_document d WHERE d.refund_id = r.id)
    UNION ALL
    SELECT o.id, NULL FROM orders_order o
    WHERE o.id = ANY(%(ids)s) AND o.status = 'cancelled'
      AND NOT EXISTS (SELECT FROM orders_document d WHERE d.order_id = o.id AND d.kind = 'credit_note')
), missing AS (
    SELECT owed.*, row_number() OVER (ORDER BY order_id, refund_id) AS place FROM owed
    WHERE EXISTS (SELECT FROM orders_document d WHERE d.order_id = owed.order_id AND d.kind = 'invoice')
), counter AS (
    INSERT INTO orders_invoicecounter (id, last) SELECT %(counter)s, count(*) FROM missing HAVING count(*) > 0
    ON CONFLICT (id) DO UPDATE SET last = orders_invoicecounter.last + excluded.last
    RETURNING last - (SELECT count(*) FROM missing) AS before
)
INSERT INTO orders_document (order_id, kind, refund_id, serial, seller, seller_vat_id, seller_country)
SELECT order_id, 'credit_note', refund_id, counter.before + missing.place, %(seller)s, %(vat_id)s, %(country)s
FROM missing, counter ORDER BY missing.place
"""


def issue(ids: Collection[int]) -> list[int]:
    """Issue the invoice of each order that is paid, or cash on delivery and reserved; returns those orders' ids.

    The orders' locks make a repeated task see the rows of the first.
    """
    with transaction.atomic():
        ready = lock_orders(ids, INVOICEABLE)
        if ready:
            sql.count(_ISSUE, {"ids": ready, "counter": INVOICES, **_seller()})
        reached(Point.INVOICE_BEFORE_COMMIT, ids)
    reached(Point.INVOICE_AFTER_COMMIT, ids)
    return ready


def credit(ids: Collection[int]) -> int:
    """Issue a credit note for each refund of these orders that has none, and for each cancelled order's invoice.

    To be called under the orders' locks, in the transaction that refunds or cancels. Returns how many were issued: none
    for an order that was never invoiced, and none twice.
    """
    return sql.count(_CREDIT, {"ids": list(ids), "counter": CREDIT_NOTES, **_seller()})


def _seller() -> Mapping[str, Any]:
    return {
        "seller": settings.SELLER,
        "vat_id": settings.SELLER_VAT_ID,
        "country": settings.SELLER_COUNTRY,
    }
