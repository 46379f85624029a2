"""Booking shipments: write the rows, ask the carrier, then write its answer together with the stock that leaves."""

from collections.abc import Collection
from typing import LiteralString

from django.db import transaction

from orders import row_keys, sql
from orders.counting import count_failures
from orders.crashpoints import Point, reached
from orders.inventory import let_go_with_shipment
from orders.locking import lock_orders
from orders.models.order import number_of
from orders.providers.failures import Outcome
from orders.providers.http import ask_all
from orders.shipping.carrier import Parcel, carrier
from orders.states import FULFILLABLE_STATES
from orders.workflow import FULFILLABLE, SHIPMENT

# Write the rows of shipments that are to be booked.
_BEGIN: LiteralString = sql.compose(
    """
INSERT INTO orders_shipment (order_id, key)
SELECT id, $key FROM orders_order o WHERE id = ANY(%(ids)s) AND $fulfillable ORDER BY id
ON CONFLICT (order_id) DO NOTHING
""",
    fulfillable=FULFILLABLE,
    key=row_keys.SHIPMENT,
)
# Parcels that the carrier has not booked yet. Returns each order with the fields of Parcel.
_OPEN: LiteralString = """
SELECT o.id, s.key || '-shipment', o.name, o.line1, o.line2, o.city, o.postcode, o.country,
       (SELECT sum(quantity) FROM orders_orderline WHERE order_id = o.id)
FROM orders_shipment s JOIN orders_order o ON o.id = s.order_id
WHERE o.id = ANY(%(ids)s) AND s.status = 'requested' ORDER BY o.id
"""
# Write what the carrier answered, and the event. Returns the orders that are shipped.
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
        ready = lock_orders(ids, FULFILLABLE_STATES)
        sql.count(_BEGIN, {"ids": ready})
        found = sql.rows(_OPEN, {"ids": ready})
        parcels = {row[0]: Parcel(row[1], number_of(row[0]), *row[2:]) for row in found}
        reached(Point.SHIP_BEFORE_ROW, ids)
    reached(Point.SHIP_AFTER_ROW, ids)
    booked, errors = ask_all(parcels, carrier().book)
    reached(Point.SHIP_AFTER_CALL, ids)
    with transaction.atomic():
        lock_orders(booked, FULFILLABLE_STATES)
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
