"""Every completed order is invoiced, what was refunded or cancelled is credited, and no number is missing."""

from typing import LiteralString

from orders import sql
from workers.audit.rules import Check, Rule

# Completed orders without an invoice.
_NOT_INVOICED: LiteralString = """
SELECT o.id, 'is completed, but has no invoice.' FROM orders_order o
WHERE o.status IN ('completed', 'refunded')
  AND NOT EXISTS (SELECT FROM orders_document d WHERE d.order_id = o.id AND d.kind = 'invoice') ORDER BY o.id
"""
# Refunds without a credit note.
_REFUND_NOT_CREDITED: LiteralString = """
SELECT r.order_id, 'was refunded {}, but has no credit note for it.', o.currency, r.amount_minor
FROM orders_refund r JOIN orders_order o ON o.id = r.order_id
WHERE NOT EXISTS (SELECT FROM orders_document d WHERE d.refund_id = r.id) ORDER BY r.id
"""
# Orders cancelled after they were invoiced, without a credit note.
_CANCELLATION_NOT_CREDITED: LiteralString = """
SELECT o.id, 'was cancelled after its invoice ' || number.said || ', which no credit note credits.'
FROM orders_document d JOIN orders_order o ON o.id = d.order_id
CROSS JOIN LATERAL (SELECT 'INV-' || lpad(d.serial::text, 7, '0')) AS number (said)
WHERE d.kind = 'invoice' AND o.status = 'cancelled'
  AND NOT EXISTS (SELECT FROM orders_document c WHERE c.order_id = o.id AND c.kind = 'credit_note') ORDER BY o.id
"""
# Numbers of which a restore from a backup does not know to whom they were given.
_SKIPPED: LiteralString = """
skipped AS (
    SELECT 'invoice' AS kind, first_invoice AS first, last_invoice AS last FROM orders_restore
    UNION ALL
    SELECT 'credit_note', first_credit_note, last_credit_note FROM orders_restore
)
"""
# Numbers that are missing in the series of invoices and of credit notes.
_GAP: LiteralString = sql.compose(
    """
WITH $skipped
SELECT NULL::bigint, 'The ' || replace(kind, '_', ' ') || 's have a gap: after number ' || before || ' comes '
       || serial || '.'
FROM (SELECT kind, serial, coalesce(lag(serial) OVER (PARTITION BY kind ORDER BY serial), 0) AS before
      FROM orders_document) AS numbered
WHERE serial - before - 1 <> (SELECT coalesce(sum(last - first + 1), 0) FROM skipped
                              WHERE skipped.kind = numbered.kind AND first > before AND last < serial)
ORDER BY kind, serial
""",
    skipped=_SKIPPED,
)
# Counters that do not say the last number given.
_COUNTER: LiteralString = sql.compose(
    """
WITH $skipped
SELECT NULL::bigint, 'The last ' || replace(given.kind, '_', ' ') || ' has the number ' || given.last
       || ', but its counter says ' || coalesce(c.last::text, 'nothing') || '.'
FROM (SELECT kind, max(serial) AS last FROM orders_document GROUP BY kind) AS given
LEFT JOIN orders_invoicecounter c ON c.id = CASE given.kind WHEN 'invoice' THEN 1 ELSE 2 END
WHERE c.last IS DISTINCT FROM greatest(
    given.last, (SELECT max(skipped.last) FROM skipped WHERE skipped.kind = given.kind))
""",
    skipped=_SKIPPED,
)

CHECK = Check(
    name="documents",
    noun="invoices and credit notes",
    counts="SELECT count(*) FROM orders_document",
    rules=(
        Rule(_NOT_INVOICED),
        Rule(_REFUND_NOT_CREDITED),
        Rule(_CANCELLATION_NOT_CREDITED),
        Rule(_GAP),
        Rule(_COUNTER),
    ),
    remedy="Somebody wrote into these tables by hand: compare them with a backup before issuing anything more.",
)
