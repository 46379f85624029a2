"""Booking shipments: rows first, then the carrier, then what it answered together with the stock that leaves."""

from collections.abc import Collection
from typing import LiteralString

from django.db import transaction

from orders import sql
from orders.counting import count_failures
from orders.crashpoints import Point, reached
from orders.inventory import let_go_with_shipment
from orders.locking import lock_orders
from orders.models.order import number_of
from orders.providers.failures import Outcome, ProviderError
from orders.providers.http import client, each
from orders.shipping.carrier import Booking, Parcel, carrier
from orders.states import OrderStatus
from orders.workflow import SHIPMENT

# Paid, or reserved and paid for at the door (which the statement checks).
SHIPPABLE = (OrderStatus.RESERVED, OrderStatus.PAID)

_BEGIN: LiteralString = """
INSERT INTO orders_shipment (order_id)
SELECT id FROM orders_order
WHERE id = ANY(%(ids)s) AND (status = 'paid' OR status = 'reserved' AND payment_method = 'cod') ORDER BY id
ON CONFLICT (order_id) DO NOTHING
"""
_OPEN: LiteralString = """
SELECT s.key || '-shipment', o.id, o.name, o.line1, o.line2, o.city, o.postcode, o.country,
       (SELECT sum(quantity) FROM orders_orderline WHERE order_id = o.id)
FROM orders_shipment s JOIN orders_order o ON o.id = s.order_id
WHERE o.id = ANY(%(ids)s) AND s.status = 'requested' ORDER BY o.id
"""
_BOOKED: LiteralString = """
WITH booked AS (
    UPDATE orders_shipment s
    SET status = 'booked', booked_at = clock_timestamp(), carrier = step.carrier,
        tracking_number = step.tracking_number, tracking_url = step.tracking_url, reason = ''
    FROM unnest(%(ids)s::bigint[], %(carriers)s::text[], %(numbers)s::text[], %(urls)s::text[])
         AS step (order_id, carrier, tracking_number, tracking_url)
    WHERE s.order_id = step.order_id AND s.status = 'requested'
    RETURNING s.order_id, s.carrier || ' ' || s.tracking_number AS detail
)
INSERT INTO orders_orderevent (order_id, kind, detail) SELECT order_id, 'order.shipped', detail FROM booked
ORDER BY order_id RETURNING order_id
"""


def book(ids: Collection[int]) -> Outcome:
    """Book a shipment for each order that is paid, or cash on delivery and reserved.

    The row is written under the order's lock: an order is cancelled before it, or not at all.
    """
    with transaction.atomic():
        ready = lock_orders(ids, SHIPPABLE)
        sql.count(_BEGIN, {"ids": ready})
        parcels = {
            row[1]: Parcel(row[0], number_of(row[1]), *row[2:]) for row in sql.rows(_OPEN, {"ids": ready})
        }
        reached(Point.SHIP_BEFORE_ROW, ids)
    reached(Point.SHIP_AFTER_ROW, ids)
    answers = client().run(each(list(parcels.values()), carrier().book)) if parcels else []
    reached(Point.SHIP_AFTER_CALL, ids)
    booked: dict[int, Booking] = {}
    errors: dict[int, ProviderError] = {}
    for order_id, answer in zip(parcels, answers, strict=True):
        if isinstance(answer, ProviderError):
            errors[order_id] = answer
        else:
            booked[order_id] = answer
    with transaction.atomic():
        lock_orders(booked, SHIPPABLE)
        if booked:
            params = {
                "ids": list(booked),
                "carriers": [booking.carrier for booking in booked.values()],
                "numbers": [booking.tracking_number for booking in booked.values()],
                "urls": [booking.tracking_url for booking in booked.values()],
            }
            let_go_with_shipment([order_id for (order_id,) in sql.rows(_BOOKED, params)])
        failed = count_failures(SHIPMENT, errors)
        reached(Point.SHIP_BEFORE_COMMIT, ids)
    reached(Point.SHIP_AFTER_COMMIT, ids)
    return Outcome([order_id for order_id in ids if order_id not in errors], failed)
