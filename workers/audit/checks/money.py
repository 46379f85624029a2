"""Nobody pays twice, and our books say to the minor unit what the provider's ledger says.

What our books claim must be in the ledger. What the ledger had before our books were opened must be in them, unless
the order is being worked on: then its answer may not be written down yet.
"""

from typing import LiteralString

from workers.audit.ledgers import PAYMENTS
from workers.audit.rules import Check, Rule

# Orders that were captured more than once.
_CAPTURED_TWICE: LiteralString = """
SELECT order_id, 'was captured ' || count(*) || ' times at the payment provider.'
FROM audit_ledger WHERE provider = 'payments' AND kind = 'captured' AND order_id IS NOT NULL
GROUP BY order_id HAVING count(*) > 1 ORDER BY order_id
"""
# Idempotency keys under which several orders were captured.
_KEY_CAPTURED_TWICE: LiteralString = """
SELECT min(order_id), 'and ' || count(*) - 1 || ' more captures share the key ' || key || '.'
FROM audit_ledger WHERE provider = 'payments' AND kind = 'captured'
GROUP BY key HAVING count(*) > 1 AND count(DISTINCT order_number) > 1 ORDER BY min(order_id)
"""
# Payments of which our books and the provider's ledger do not say the same.
_BOOKS_DIFFER: LiteralString = """
SELECT o.id, 'is ' || side.verb || ' {} in our books, and {} at the payment provider.', p.currency, side.ours,
       CASE WHEN side.ours > side.theirs THEN side.theirs ELSE side.early END
FROM orders_order o
JOIN orders_payment p ON p.order_id = o.id
LEFT JOIN audit_money m ON m.order_id = o.id
CROSS JOIN LATERAL (VALUES
    ('captured', p.captured_minor, coalesce(m.captured_early, 0), coalesce(m.captured, 0)),
    ('refunded', p.refunded_minor, coalesce(m.refunded_early, 0), coalesce(m.refunded, 0))
) AS side (verb, ours, early, theirs)
WHERE side.ours > side.theirs OR side.early > side.ours AND $settled ORDER BY o.id
"""
# Orders that were captured for more than their total, or refunded for more than was captured.
_TOO_MUCH: LiteralString = """
SELECT o.id, 'comes to {}, but {} was captured and {} refunded at the payment provider.', o.currency,
       o.total_minor, m.captured, m.refunded
FROM orders_order o JOIN audit_money m ON m.order_id = o.id
WHERE m.captured > CASE o.payment_method WHEN 'card' THEN o.total_minor ELSE 0 END OR m.refunded > m.captured
ORDER BY o.id
"""
# Entries of the ledger in another currency than their order's.
_OTHER_CURRENCY: LiteralString = """
SELECT o.id, 'is in ' || o.currency || ', but was ' || l.kind || ' in ' || l.currency || '.'
FROM audit_ledger l JOIN orders_order o ON o.id = l.order_id
WHERE l.provider = 'payments' AND l.currency <> o.currency ORDER BY o.id
"""
# Orders that went on as paid and are not, by our books.
_NOT_PAID: LiteralString = """
SELECT o.id, 'is ' || o.status || ' and comes to {}, but its payment is '
             || coalesce(p.status, 'missing') || ' with {} captured and {} refunded.',
       o.currency, o.total_minor, coalesce(p.captured_minor, 0), coalesce(p.refunded_minor, 0)
FROM orders_order o LEFT JOIN orders_payment p ON p.order_id = o.id
WHERE o.payment_method = 'card' AND o.status IN ('paid', 'completed')
  AND (p.status IS DISTINCT FROM 'captured' OR p.captured_minor <> o.total_minor
       OR p.refunded_minor + p.outside_minor <> (SELECT coalesce(sum(r.amount_minor), 0) FROM orders_refund r
                                                 WHERE r.order_id = o.id AND r.status = 'made'))
ORDER BY o.id
"""
# What was promised of completed orders (orders.refunds) adds up, is within what was captured, and is kept.
_PROMISED: LiteralString = """
SELECT o.id, 'has {} in its refunds, but its payment of {} says that {} was promised.', o.currency, r.promised,
       coalesce(p.captured_minor, 0), coalesce(p.promised_minor, 0)
FROM (SELECT order_id, sum(amount_minor)::bigint AS promised FROM orders_refund GROUP BY order_id) AS r
JOIN orders_order o ON o.id = r.order_id LEFT JOIN orders_payment p ON p.order_id = o.id
WHERE o.payment_method <> 'cod' AND (r.promised IS DISTINCT FROM p.promised_minor OR r.promised > p.captured_minor)
ORDER BY o.id
"""
# Cash on delivery that was credited for more than it came to, or is refunded and was not credited for all of it.
_RETURNED: LiteralString = """
SELECT o.id, 'is ' || o.status || ' and comes to {}, but {} was credited for goods that came back.', o.currency,
       o.total_minor, r.credited
FROM orders_order o
CROSS JOIN LATERAL (SELECT coalesce(sum(amount_minor), 0)::bigint AS credited FROM orders_refund
                    WHERE order_id = o.id) AS r
WHERE o.payment_method = 'cod' AND o.status IN ('completed', 'refunded')
  AND (r.credited > o.total_minor OR o.status = 'refunded' AND r.credited <> o.total_minor)
ORDER BY o.id
"""
# Order lines of which more pieces were refunded than ordered.
_PIECES: LiteralString = """
SELECT l.order_id, 'had ' || l.quantity || ' of ' || l.sku || ', but ' || sum(r.quantity) || ' of it were refunded.'
FROM orders_refundline r JOIN orders_orderline l ON l.id = r.line_id
GROUP BY l.id HAVING sum(r.quantity) > l.quantity ORDER BY l.order_id
"""
# Promised refunds that nobody is making.
_NOT_KEPT: LiteralString = """
SELECT o.id, 'was promised {} back, and nobody is making that refund.', o.currency, r.amount_minor
FROM orders_refund r JOIN orders_order o ON o.id = r.order_id WHERE r.status = 'requested' AND $settled ORDER BY o.id
"""
# Refunded orders that did not get back all that was captured.
_NOT_GIVEN_BACK: LiteralString = """
SELECT o.id, 'is refunded, but of {} captured only {} was given back.', p.currency, p.captured_minor,
       p.refunded_minor + p.outside_minor
FROM orders_order o JOIN orders_payment p ON p.order_id = o.id
WHERE o.status = 'refunded' AND p.captured_minor <> p.refunded_minor + p.outside_minor AND $settled ORDER BY o.id
"""
# Refunds and disputes in the provider's list that our books do not have: neither asked for by us nor taken over.
_NOT_IN_OUR_BOOKS: LiteralString = """
SELECT o.id, 'was ' || CASE WHEN l.kind = 'refunded' THEN 'given back' ELSE 'disputed for' END
             || ' {} at the payment provider (' || l.object || '), which our books do not have.', o.currency, l.amount
FROM audit_ledger l JOIN orders_order o ON o.id = l.order_id JOIN orders_payment p ON p.order_id = o.id
WHERE l.provider = 'payments' AND NOT l.late AND l.kind IN ('refunded', 'disputed', 'dispute_won', 'dispute_lost')
  AND NOT (l.kind = 'refunded' AND starts_with(l.key, p.key || '-refund'))
  AND NOT EXISTS (SELECT FROM orders_reversal v WHERE v.reference = l.object AND v.order_id = o.id
                  AND v.status = ANY(CASE l.kind WHEN 'disputed' THEN '{open,won,given_back}'::text[]
                                                 WHEN 'dispute_won' THEN '{won}' ELSE '{given_back}' END))
  AND $settled
ORDER BY o.id, l.object
"""
# Orders whose credit notes are not over the money that was given back. Promises that nobody keeps have a rule of their
# own, and for what was paid at the door there is no payment of ours.
_NOT_CREDITED: LiteralString = """
SELECT o.id, 'has credit notes over {}, but {} of it was given back.', o.currency, credited.amount,
       p.refunded_minor + p.outside_minor
FROM orders_order o JOIN orders_payment p ON p.order_id = o.id
CROSS JOIN LATERAL (
    SELECT coalesce(sum(coalesce(r.amount_minor, o.total_minor)) FILTER (WHERE d.kind = 'credit_note'), 0)::bigint
               AS amount,
           bool_or(d.kind = 'invoice') AS invoiced
    FROM orders_document d LEFT JOIN orders_refund r ON r.id = d.refund_id WHERE d.order_id = o.id
) AS credited
WHERE credited.invoiced AND credited.amount <> p.refunded_minor + p.outside_minor AND $settled
  AND NOT EXISTS (SELECT FROM orders_refund r WHERE r.order_id = o.id AND r.status = 'requested')
ORDER BY o.id
"""
# Payments that do not fit their order's total, currency or method.
_WRONG_PAYMENT: LiteralString = """
SELECT o.id, CASE WHEN o.payment_method = 'cod' THEN 'is paid at the door, but has a card payment of {} ('
                  ELSE 'has a payment of {} (' END || p.currency || ') for a total of {} (' || o.currency || ').',
       o.currency, p.amount_minor, o.total_minor
FROM orders_order o JOIN orders_payment p ON p.order_id = o.id
WHERE p.amount_minor <> o.total_minor OR p.currency <> o.currency OR o.payment_method = 'cod' ORDER BY o.id
"""
# The tax within a line as orders.money.tax_within has it, rounded half up line by line.
_WRONG_TOTAL: LiteralString = """
SELECT o.id, 'comes to {} with {} tax in it, but its lines make {} with {}.', o.currency, o.total_minor, o.tax_minor,
       coalesce(line.total, 0), coalesce(line.tax, 0)
FROM orders_order o
LEFT JOIN (
    SELECT order_id, sum(gross)::bigint AS total,
           sum((2 * gross * tax_rate_bp + 10000 + tax_rate_bp) / (2 * (10000 + tax_rate_bp)))::bigint AS tax
    FROM (SELECT order_id, quantity * unit_price_minor AS gross, tax_rate_bp::bigint FROM orders_orderline) AS one
    GROUP BY order_id
) AS line ON line.order_id = o.id
WHERE (o.total_minor, o.tax_minor) IS DISTINCT FROM (line.total, line.tax) ORDER BY o.id
"""

CHECK = Check(
    name="money",
    noun="orders",
    counts="SELECT count(*) FROM orders_order",
    rules=(
        Rule(_CAPTURED_TWICE, (PAYMENTS,)),
        Rule(_KEY_CAPTURED_TWICE, (PAYMENTS,)),
        Rule(_BOOKS_DIFFER, (PAYMENTS,)),
        Rule(_TOO_MUCH, (PAYMENTS,)),
        Rule(_OTHER_CURRENCY, (PAYMENTS,)),
        Rule(_NOT_IN_OUR_BOOKS, (PAYMENTS,)),
        Rule(_NOT_CREDITED),
        Rule(_NOT_PAID),
        Rule(_NOT_GIVEN_BACK),
        Rule(_PROMISED),
        Rule(_RETURNED),
        Rule(_PIECES),
        Rule(_NOT_KEPT),
        Rule(_WRONG_PAYMENT),
        Rule(_WRONG_TOTAL),
    ),
    remedy="Compare each order's payment with the provider's dashboard before refunding or charging anything by hand.",
)
