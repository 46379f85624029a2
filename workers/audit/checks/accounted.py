"""No order is forgotten: each has ended, is due soon, or has an open dead letter that a person sees.

A dead letter that does not stop its order (an e-mail that could not be sent) does not count here: the order goes on.
"""

from datetime import timedelta
from typing import LiteralString

from workers.audit.rules import Check, Rule

# The relay may be so much behind, after a deploy or while the broker was away. Later than that nobody is at work.
GRACE = timedelta(minutes=5)

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

CHECK = Check(
    name="accounted",
    noun="orders",
    counts="SELECT count(*) FROM orders_order",
    rules=(Rule(_FORGOTTEN), Rule(_OVERDUE)),
    remedy="Are the relay and all worker pools running? If they are, look at these orders' timelines in the admin.",
    params={"grace": GRACE},
)
