"""Every completed order is with the carrier, once, and the carrier knows of every parcel that our books speak of."""

from typing import LiteralString

from workers.audit.ledgers import CARRIER
from workers.audit.rules import Check, Rule

# Completed orders without a booked shipment.
_NOT_BOOKED: LiteralString = """
SELECT o.id, 'is completed, but its shipment is ' || coalesce(s.status, 'missing') || '.'
FROM orders_order o LEFT JOIN orders_shipment s ON s.order_id = o.id
WHERE o.status = 'completed' AND s.status IS DISTINCT FROM 'booked' ORDER BY o.id
"""
# Orders that the carrier booked more than once.
_BOOKED_TWICE: LiteralString = """
SELECT order_id, 'was booked ' || count(*) || ' times at the carrier.'
FROM audit_ledger WHERE provider = 'carrier' AND order_id IS NOT NULL
GROUP BY order_id HAVING count(*) > 1 ORDER BY order_id
"""
# Shipments booked by our books that the carrier does not have.
_CARRIER_HAS_NOT: LiteralString = """
SELECT s.order_id, 'is with the carrier, say our books (' || s.tracking_number || '), but the carrier never had it.'
FROM orders_shipment s
WHERE s.status = 'booked' AND NOT EXISTS (
    SELECT FROM audit_ledger l WHERE l.provider = 'carrier' AND l.row_key = s.key AND l.order_id = s.order_id)
ORDER BY s.order_id
"""
# Shipments that the carrier has and that are not booked in our books.
_BOOKS_HAVE_NOT: LiteralString = """
SELECT o.id, 'is with the carrier (' || l.ref || '), but in our books its shipment is ' || s.status || '.'
FROM audit_ledger l
JOIN orders_shipment s ON s.order_id = l.order_id AND s.key = l.row_key
JOIN orders_order o ON o.id = s.order_id
WHERE l.provider = 'carrier' AND NOT l.late AND s.status <> 'booked' AND $settled ORDER BY o.id
"""

CHECK = Check(
    name="shipments",
    noun="shipments",
    counts="SELECT count(*) FROM orders_shipment",
    rules=(
        Rule(_NOT_BOOKED),
        Rule(_BOOKED_TWICE, (CARRIER,)),
        Rule(_CARRIER_HAS_NOT, (CARRIER,)),
        Rule(_BOOKS_HAVE_NOT, (CARRIER,)),
    ),
    remedy="Ask the carrier for these parcels before booking anything again.",
)
