"""Nothing was done at a provider for an order that was never committed.

A row is committed before its provider is called, and the key of the call is made from the row. So every entry that the
ledgers had before our books were opened must name an order of ours, and the key of one of that order's rows. What a
payment provider's people, or a bank, did to a charge of ours is the check `money`'s; and what others charge on the same
account, under numbers and keys that are not like ours, is none of our business.
"""

from typing import LiteralString

from orders.models.order import NUMBER_PREFIX
from workers.audit.ledgers import CARRIER, MAILBOX, PAYMENTS, SMS
from workers.audit.rules import Check, Rule

# Entries of the ledgers for which there is no order, no row with that key, or no such call of ours.
_UNEXPLAINED: LiteralString = """
WITH ours AS (
    SELECT 'payments' AS provider, key, order_id FROM orders_payment
    UNION ALL
    SELECT CASE channel WHEN 'email' THEN 'mailbox' ELSE channel END, key, order_id FROM orders_notification
    UNION ALL
    SELECT 'carrier', key, order_id FROM orders_shipment
), calls (provider, kind, purpose) AS (VALUES
    ('payments', 'authorised', 'charge'), ('payments', 'captured', 'charge'), ('payments', 'declined', 'charge'),
    ('payments', 'captured', 'capture'), ('payments', 'voided', 'void'), ('payments', 'refunded', 'refund'),
    ('sms', 'sent', 'sms'), ('carrier', 'booked', 'shipment'), ('mailbox', 'delivered', NULL)
)
SELECT NULL::bigint, 'In the ledger of ' || l.provider || ', ' || l.ref || ' was ' || l.kind || ' for '
    || CASE WHEN l.order_number = '' THEN 'no order' ELSE 'order ' || l.order_number END || CASE
           WHEN o.id IS NULL THEN ', which does not exist'
           WHEN ours.key IS NULL THEN ', but no row of that order has made this call'
           ELSE ', which nothing of ours does under such a key' END
    || CASE WHEN l.key = '' THEN ' (it came without a key).' ELSE ' (key ' || l.key || ').' END
FROM audit_ledger l
LEFT JOIN orders_order o ON o.id = l.order_id
LEFT JOIN ours ON ours.provider = l.provider AND ours.key = l.row_key AND ours.order_id = l.order_id
LEFT JOIN calls ON calls.provider = l.provider AND calls.kind = l.kind
               -- A completed order's refunds are numbered: refund-17, and refund-17-1 after a refusal. The rest of a
               -- failed order's money is refund-after-500 when so much had gone back before. A parcel that was refused
               -- before is shipment-1.
               AND (calls.purpose IS NULL
                    OR calls.purpose = regexp_replace(l.purpose, '^(refund(-after)?-[0-9]+|shipment)(-[0-9]+)?$$',
                                                      split_part(calls.purpose, '-', 1)))
WHERE NOT l.late AND (o.id IS NULL OR ours.key IS NULL OR calls.provider IS NULL)
  AND NOT (l.provider = 'payments' AND (
      o.id IS NOT NULL AND l.kind IN ('refunded', 'disputed', 'dispute_won', 'dispute_lost')
      OR l.order_number !~ ('^' || %(prefix)s || '[0-9]+$$') AND l.row_key IS NULL))
  -- After a restore from a backup these are listed for a person.
  AND NOT EXISTS (SELECT FROM orders_lostcall lost WHERE lost.provider = l.provider AND lost.kind = l.kind
                                                     AND lost.reference = l.ref AND lost.key = l.key)
ORDER BY l.provider, l.ref
"""

CHECK = Check(
    name="nothing_uncommitted",
    noun="entries of the providers' ledgers",
    counts="SELECT count(*) FROM audit_ledger WHERE NOT late",
    rules=(Rule(_UNEXPLAINED, (PAYMENTS, SMS, CARRIER, MAILBOX), apart=True),),
    params={"prefix": NUMBER_PREFIX},
    remedy="Ask who else uses these providers' accounts, and whether this database was ever restored from a backup.",
)
