"""Booking shipments: write the rows, ask the carrier, then write its answer together with the stock that leaves.

A refusal is an answer too: the row says so, once the carrier has also said that it has no parcel under that key. Then
the order may be cancelled, its address corrected, or the carrier asked again. A try after a refusal goes under a key of
its own, because a provider repeats its answer to a key.
"""

from collections.abc import Collection
from typing import LiteralString

from django.db import transaction

from orders import row_keys, sql
from orders.counting import count_failures
from orders.crashpoints import Point, reached
from orders.inventory import let_go_with_shipment
from orders.locking import lock_orders
from orders.models.delivery import DELIVERED_TO, DELIVERY
from orders.models.order import number_of
from orders.providers.failures import Outcome, Refused
from orders.providers.http import ask_all
from orders.shipping.carrier import Booking, Parcel, carrier
from orders.states import FULFILLABLE_STATES
from orders.workflow import FULFILLABLE, SHIPMENT

# Write the rows of shipments that are to be booked; what was refused is asked for once more.
_BEGIN: LiteralString = sql.compose(
    """
INSERT INTO orders_shipment (order_id, key)
SELECT id, $key FROM orders_order o WHERE id = ANY(%(ids)s) AND $fulfillable ORDER BY id
ON CONFLICT (order_id) DO UPDATE SET status = 'requested', failures = 0 WHERE orders_shipment.status = 'refused'
""",
    fulfillable=FULFILLABLE,
    key=row_keys.SHIPMENT,
)
# Parcels that the carrier has not booked yet. Returns each order with the fields of Parcel.
_OPEN: LiteralString = sql.compose(
    """
SELECT o.id, s.key || '-shipment' || CASE s.refusals WHEN 0 THEN '' ELSE '-' || s.refusals END, $delivered_to,
       (SELECT sum(quantity) FROM orders_orderline WHERE order_id = o.id)
FROM orders_shipment s JOIN orders_order o ON o.id = s.order_id $delivery
WHERE o.id = ANY(%(ids)s) AND s.status = 'requested' ORDER BY o.id
""",
    delivered_to=DELIVERED_TO,
    delivery=DELIVERY,
)
# Write what the carrier answered, and the event. Returns the orders that are shipped. A parcel that there is stands in
# the books, even if a slower call was told of a refusal before.
_BOOKED: LiteralString = """
WITH booked AS (
    UPDATE orders_shipment s
    SET status = 'booked', booked_at = clock_timestamp(), carrier = step.carrier,
        tracking_number = step.tracking_number, tracking_url = step.tracking_url, reason = ''
    FROM unnest(%(ids)s::bigint[], %(carriers)s::text[], %(numbers)s::text[], %(urls)s::text[])
         AS step (order_id, carrier, tracking_number, tracking_url)
    WHERE s.order_id = step.order_id AND s.status <> 'booked'
    RETURNING s.order_id, s.carrier || ' ' || s.tracking_number AS detail
)
INSERT INTO orders_orderevent (order_id, kind, detail) SELECT order_id, 'order.shipped', detail FROM booked
ORDER BY order_id RETURNING order_id
"""
# The carrier refused these, and has no parcel of them.
_REFUSED: LiteralString = """
UPDATE orders_shipment SET status = 'refused', refusals = refusals + 1
WHERE order_id = ANY(%(ids)s) AND status = 'requested'
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
    booked, errors = ask_all(parcels, _call)
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
        if refused := [order_id for order_id, error in errors.items() if isinstance(error, Refused)]:
            sql.count(_REFUSED, {"ids": refused})
        reached(Point.SHIP_BEFORE_COMMIT, ids)
    reached(Point.SHIP_AFTER_COMMIT, ids)
    return Outcome([order_id for order_id in ids if order_id not in errors], failed)


async def _call(parcel: Parcel) -> Booking:
    """Book it. A refusal does not tell what became of an earlier call that had no answer, so the carrier is asked."""
    try:
        return await carrier().book(parcel)
    except Refused:
        if found := await carrier().find(parcel):
            return found
        raise
