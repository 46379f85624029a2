"""Nothing is sold that was not there, nothing twice, and every piece that ever came in is accounted for."""

from typing import LiteralString

from workers.audit.rules import Check, Rule

# SKUs whose columns are negative or do not add up.
_IMPOSSIBLE: LiteralString = """
SELECT NULL::bigint, sku || ' has ' || stocked || ' stocked, but ' || on_hand || ' on hand, ' || reserved
                     || ' reserved and ' || sold || ' sold.'
FROM orders_stockitem
WHERE least(on_hand, reserved, sold) < 0 OR stocked <> on_hand + reserved + sold ORDER BY sku
"""
# SKUs whose columns differ from what their stock movements add up to.
_UNMOVED: LiteralString = """
WITH moved AS (
    SELECT sku,
           coalesce(sum(quantity) FILTER (WHERE kind = 'stocked'), 0) AS stocked,
           coalesce(sum(CASE kind WHEN 'reserved' THEN quantity ELSE -quantity END)
                    FILTER (WHERE kind IN ('reserved', 'released', 'sold')), 0) AS reserved,
           coalesce(sum(quantity) FILTER (WHERE kind = 'sold'), 0) AS sold
    FROM orders_stockmovement GROUP BY sku
)
SELECT NULL::bigint, sku || ' has ' || side.ours || ' ' || side.name || ', but its movements make '
                     || side.theirs || '.'
FROM orders_stockitem s FULL JOIN moved USING (sku)
CROSS JOIN LATERAL (VALUES
    ('stocked', coalesce(s.stocked, 0), coalesce(moved.stocked, 0)),
    ('reserved', coalesce(s.reserved, 0), coalesce(moved.reserved, 0)),
    ('sold', coalesce(s.sold, 0), coalesce(moved.sold, 0))
) AS side (name, ours, theirs)
WHERE side.ours <> side.theirs ORDER BY sku
"""
# An order holds all of its lines or none. They are let go once: back to the shelf, or away with the booked shipment.
_LINES: LiteralString = """
WITH moved AS (
    SELECT order_id, sku,
           coalesce(sum(quantity) FILTER (WHERE kind = 'reserved'), 0) AS reserved,
           coalesce(sum(quantity) FILTER (WHERE kind = 'released'), 0) AS released,
           coalesce(sum(quantity) FILTER (WHERE kind = 'sold'), 0) AS sold
    FROM orders_stockmovement WHERE order_id IS NOT NULL GROUP BY order_id, sku
), holder AS (
    SELECT o.id, o.status, EXISTS (SELECT FROM orders_shipment s
                                   WHERE s.order_id = o.id AND s.status = 'booked') AS shipped
    FROM orders_order o
    WHERE o.status IN ('reserved', 'awaiting_payment', 'paid', 'completed', 'refunded')
       OR o.id IN (SELECT order_id FROM moved)
), line AS (
    SELECT l.order_id, l.sku, l.quantity, holder.status, holder.shipped
    FROM orders_orderline l JOIN holder ON holder.id = l.order_id
), one AS (
    SELECT order_id, sku, coalesce(line.quantity, 0) AS ordered, coalesce(line.status, 'unknown') AS status,
           coalesce(line.shipped, false) AS shipped, coalesce(moved.reserved, 0) AS reserved,
           coalesce(moved.released, 0) AS released, coalesce(moved.sold, 0) AS sold
    FROM line FULL JOIN moved USING (order_id, sku)
)
SELECT order_id, CASE
    WHEN reserved <> ordered
        THEN 'reserved ' || reserved || ' of ' || sku || ', having ordered ' || ordered || '.'
    WHEN released + sold NOT IN (0, reserved)
        THEN 'let go of ' || released + sold || ' of ' || sku || ' (' || released || ' released, ' || sold
             || ' sold), having reserved ' || reserved || '.'
    WHEN shipped AND sold = 0 THEN 'is shipped, but its ' || sku || ' is not booked as sold.'
    WHEN sold > 0 AND NOT shipped THEN 'has sold ' || sold || ' of ' || sku || ' without a shipment.'
    WHEN status = 'completed' AND sold = 0 THEN 'is completed, but its ' || sku || ' is not sold.'
    ELSE 'is ' || status || ', but has reserved ' || reserved || ' of ' || sku || '.' END
FROM one
WHERE reserved <> ordered OR released + sold NOT IN (0, reserved) OR shipped <> (sold > 0)
   OR status = 'completed' AND sold = 0 OR status IN ('placed', 'out_of_stock') AND reserved > 0
ORDER BY order_id, sku
"""

CHECK = Check(
    name="stock",
    noun="SKUs",
    counts="SELECT count(*) FROM orders_stockitem",
    rules=(Rule(_IMPOSSIBLE), Rule(_UNMOVED), Rule(_LINES)),
    remedy="Count these articles on the shelf, and look at their movements and at these orders in the admin.",
)
