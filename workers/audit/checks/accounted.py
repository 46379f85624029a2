"""No order is forgotten: each has ended, is due soon, or has an open dead letter that a person sees.

None goes on for ever either: one that has stood at the same point for more than a day has a dead letter, waits for its
buyer's bank, or is a finding of the reconciler.

A dead letter that does not stop its order (an e-mail that could not be sent) does not count here: the order goes on.
"""

from datetime import timedelta
from typing import LiteralString

from orders.workflow import STEPS
from workers.audit.rules import Check, Rule

# The relay may be so much behind, after a deploy or while the broker was away. Later than that nobody is at work.
GRACE = timedelta(minutes=5)
# A step is given up after a day at the latest (orders.workflow), and no wait between two tries is longer than an hour.
LONGEST = max(spec.retry.deadline for spec in STEPS.values()) + timedelta(hours=1)

# Orders that have not ended and for which nothing is due, or that are marked as ended and have not.
_FORGOTTEN: LiteralString = """
SELECT o.id, 'is ' || o.status || CASE
         WHEN o.status = ANY(%(end_states)s) THEN ', but was never closed, and nothing is due for it.'
         WHEN o.ended_at IS NOT NULL THEN ', which is no end, but is marked as ended.'
         ELSE ', and nothing is due for it: it is forgotten.' END
FROM orders_order o
WHERE (o.ended_at IS NULL OR o.status <> ALL(%(end_states)s)) AND $settled ORDER BY o.id
"""
# Orders that are due and that no relay has claimed.
_OVERDUE: LiteralString = """
SELECT o.id, 'is ' || o.status || ' and has been due for ' || date_trunc('second', now() - o.due_at)
             || ' without anybody looking at it.'
FROM orders_order o WHERE o.due_at < now() - %(grace)s ORDER BY o.due_at
"""
# Orders at which nothing has moved for more than a day, and that nobody is told of.
_ENDLESS: LiteralString = """
SELECT o.id, 'is ' || o.status || ' and has stood still for ' || date_trunc('second', now() - last.at)
             || ': it has no dead letter, no hold and no finding.'
FROM orders_order o
JOIN LATERAL (SELECT max(e.at) AS at FROM orders_orderevent e WHERE e.order_id = o.id) AS last ON true
WHERE o.ended_at IS NULL AND o.due_at IS NOT NULL AND last.at < now() - %(longest)s
  AND NOT EXISTS (SELECT FROM workers_deadletter l WHERE l.order_id = o.id AND l.resolved_at IS NULL)
  AND NOT EXISTS (SELECT FROM orders_payment p WHERE p.order_id = o.id AND p.hold_until > now())
  AND NOT EXISTS (SELECT FROM orders_finding f WHERE f.order_id = o.id AND f.resolved_at IS NULL)
ORDER BY last.at
"""

CHECK = Check(
    name="accounted",
    noun="orders",
    counts="SELECT count(*) FROM orders_order",
    rules=(Rule(_FORGOTTEN), Rule(_OVERDUE), Rule(_ENDLESS)),
    remedy="Are the relay and all worker pools running? If they are, look at these orders' timelines in the admin.",
    params={"grace": GRACE, "longest": LONGEST},
)
