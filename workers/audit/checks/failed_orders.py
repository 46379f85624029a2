"""An order that failed or was cancelled holds nothing: no stock, no money, no shipment."""

from typing import LiteralString

from workers.audit.ledgers import CARRIER, PAYMENTS
from workers.audit.rules import Check, Rule

# Stock that a failed order still holds or has sold.
_HOLDS_STOCK: LiteralString = """
SELECT o.id, 'is ' || o.status || CASE WHEN bool_or(gone.kind = 'sold') THEN ', but has sold ' ELSE ', but still holds '
             END || string_agg(m.quantity || ' of ' || m.sku, ', ' ORDER BY m.sku) || '.'
FROM orders_order o
JOIN orders_stockmovement m ON m.order_id = o.id AND m.kind = 'reserved'
LEFT JOIN orders_stockmovement gone ON gone.order_id = o.id AND gone.sku = m.sku AND gone.kind IN ('released', 'sold')
WHERE gone.kind IS DISTINCT FROM 'released' AND $failed GROUP BY o.id, o.status ORDER BY o.id
"""
# Payments of failed orders that are neither unpaid nor given back, by our books.
_HOLDS_MONEY: LiteralString = """
SELECT o.id, 'is ' || o.status || ', but its payment is ' || p.status || ': {} captured, {} refunded.', p.currency,
       p.captured_minor, p.refunded_minor
FROM orders_order o JOIN orders_payment p ON p.order_id = o.id
WHERE (p.status NOT IN ('pending', 'declined', 'voided', 'refunded')
       OR p.captured_minor <> p.refunded_minor + p.outside_minor)
      AND $failed ORDER BY o.id
"""
# The same by the provider's ledger.
_PROVIDER_HOLDS_MONEY: LiteralString = """
SELECT o.id, 'is ' || o.status || ', but the payment provider captured {} and refunded {}.', o.currency, m.captured,
       m.refunded
FROM orders_order o JOIN audit_money m ON m.order_id = o.id LEFT JOIN orders_payment p ON p.order_id = o.id
WHERE m.captured <> m.refunded + coalesce(p.outside_minor, 0) AND $failed ORDER BY o.id
"""
# Amounts that the provider still holds on the card of a failed order.
_PROVIDER_HOLDS_CARD: LiteralString = """
SELECT o.id, 'is ' || o.status || ', but {} is still authorised at the payment provider (' || l.ref || ').', o.currency,
       l.amount
FROM orders_order o JOIN audit_ledger l ON l.order_id = o.id AND l.provider = 'payments' AND l.kind = 'authorised'
WHERE NOT EXISTS (SELECT FROM audit_ledger later WHERE later.provider = 'payments' AND later.ref = l.ref
                                                   AND later.kind IN ('captured', 'voided')) AND $failed
ORDER BY o.id
"""
# Shipments of failed orders, by our books.
_SHIPPED: LiteralString = """
SELECT o.id, 'is ' || o.status || ', but has a shipment that is ' || s.status || '.'
FROM orders_order o JOIN orders_shipment s ON s.order_id = o.id
WHERE s.status <> 'refused' AND $failed ORDER BY o.id
"""
# The same by the carrier's ledger.
_CARRIER_HAS_IT: LiteralString = """
SELECT o.id, 'is ' || o.status || ', but the carrier has a parcel of it (' || l.ref || ').'
FROM orders_order o JOIN audit_ledger l ON l.order_id = o.id AND l.provider = 'carrier' WHERE $failed ORDER BY o.id
"""

CHECK = Check(
    name="failed_orders",
    noun="failed or cancelled orders",
    counts="SELECT count(*) FROM orders_order o WHERE o.status = ANY(%(failed_states)s)",
    rules=(
        Rule(_HOLDS_STOCK),
        Rule(_HOLDS_MONEY),
        Rule(_PROVIDER_HOLDS_MONEY, (PAYMENTS,)),
        Rule(_PROVIDER_HOLDS_CARD, (PAYMENTS,)),
        Rule(_SHIPPED),
        Rule(_CARRIER_HAS_IT, (CARRIER,)),
    ),
    remedy="Replay these orders from the admin: what they hold is then given back.",
)
