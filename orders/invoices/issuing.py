"""Issuing invoices and credit notes: a number without gaps, and the seller and the time zone as of today.

All else that they say is in rows that never change: the order's lines, address and sums, the refund's lines. So issuing
is one short statement, and the PDF is made later or when somebody asks.

A refund credits the invoice when it is promised, and a cancellation when it ends the order. Each calls `credit` in its
own transaction, so that there is no promise without its credit note.
"""

from collections.abc import Collection
from typing import LiteralString

from django.conf import settings
from django.db import transaction

from orders import sql
from orders.crashpoints import Point, reached
from orders.locking import lock_orders
from orders.models.document import CREDIT_NOTES, INVOICES, Document
from orders.states import FULFILLABLE_STATES, OrderStatus
from orders.workflow import FULFILLABLE

INVOICEABLE = FULFILLABLE_STATES | {OrderStatus.COMPLETED}

# Number and write documents that are `missing`. The counter's row lock makes issuing wait for issuing, so that a number
# is taken only by a transaction that uses it. Without anything to issue it is not touched.
_ISSUE: LiteralString = """
WITH $missing, counter AS (
    INSERT INTO orders_invoicecounter (id, last) SELECT %(counter)s, count(*) FROM missing HAVING count(*) > 0
    ON CONFLICT (id) DO UPDATE SET last = orders_invoicecounter.last + excluded.last
    RETURNING last - (SELECT count(*) FROM missing) AS before
)
INSERT INTO orders_document (order_id, kind, refund_id, serial, seller, seller_vat_id, seller_country,
                             time_zone)
SELECT order_id, %(kind)s, refund_id, counter.before + missing.place, %(seller)s, %(vat_id)s, %(country)s,
       %(time_zone)s
FROM missing, counter ORDER BY missing.place
"""
# Orders to be paid or paid that have no invoice.
_INVOICES: LiteralString = sql.compose(
    """missing AS (
    SELECT o.id AS order_id, NULL::bigint AS refund_id, row_number() OVER (ORDER BY o.id) AS place FROM orders_order o
    WHERE o.id = ANY(%(ids)s) AND $fulfillable
      AND NOT EXISTS (SELECT FROM orders_document d WHERE d.order_id = o.id AND d.kind = 'invoice')
)""",
    fulfillable=FULFILLABLE,
)
# Refunds without a credit note, and cancelled orders, where there is an invoice to credit.
_CREDIT_NOTES: LiteralString = """owed AS (
    SELECT r.order_id, r.id AS refund_id FROM orders_refund r
    WHERE r.order_id = ANY(%(ids)s) AND NOT EXISTS (SELECT FROM orders_document d WHERE d.refund_id = r.id)
    UNION ALL
    SELECT o.id, NULL FROM orders_order o
    WHERE o.id = ANY(%(ids)s) AND o.status = 'cancelled'
      AND NOT EXISTS (SELECT FROM orders_document d WHERE d.order_id = o.id AND d.kind = 'credit_note')
), missing AS (
    SELECT owed.*, row_number() OVER (ORDER BY order_id, refund_id) AS place FROM owed
    WHERE EXISTS (SELECT FROM orders_document d WHERE d.order_id = owed.order_id AND d.kind = 'invoice')
)"""


def issue(ids: Collection[int]) -> list[int]:
    """Issue the invoice of each order that is paid, or cash on delivery and reserved; returns those orders' ids.

    Under the orders' locks a repeated task sees the rows of the first.
    """
    with transaction.atomic():
        ready = lock_orders(ids, INVOICEABLE)
        if ready:
            _issue(ready, Document.Kind.INVOICE, _INVOICES, INVOICES)
        reached(Point.INVOICE_BEFORE_COMMIT, ids)
    reached(Point.INVOICE_AFTER_COMMIT, ids)
    return ready


def credit(ids: Collection[int]) -> int:
    """Issue a credit note for each refund of these orders that has none, and for each cancelled order's invoice.

    Call it under the orders' locks, in the transaction that refunds or cancels. Returns how many were issued: none for
    an order that was never invoiced, and none twice.
    """
    return _issue(ids, Document.Kind.CREDIT_NOTE, _CREDIT_NOTES, CREDIT_NOTES)


def _issue(ids: Collection[int], kind: Document.Kind, missing: LiteralString, counter: int) -> int:
    return sql.count(
        sql.compose(_ISSUE, missing=missing),
        {
            "ids": list(ids),
            "kind": kind.value,
            "counter": counter,
            "seller": settings.SELLER,
            "vat_id": settings.SELLER_VAT_ID,
            "country": settings.SELLER_COUNTRY,
            "time_zone": settings.TIME_ZONE,
        },
    )
