"""No order is forgotten: each has ended, or will be looked at soon, or lies before a person.

A dead letter that does not stop its order (a mail that could not be sent) is no excuse: the order goes on without.
"""

from datetime import timedelta
from typing import LiteralString

from workers.audit.rules import SETTLED, Check, Rule

# What the relay may be behind: a broker that was away, a deploy. Longer than that nobody is at work.
GRACE = timedelta(minutes=5)

_FORGOTTEN: LiteralString = (
    """
SELECT o.id, 'is ' || o.status || CASE
         WHEN o.status = ANY(%(end_states)s) THEN ', but was never closed, and nothing is due for it.'
         WHEN o.ended_at IS NOT NULL THEN ', which is no end, but is marked as ended.'
         ELSE ', and nothing is due for it: it is forgotten.' END
FROM orders_order o
WHERE (o.ended_at IS NULL OR o.status <> ALL(%(end_states)s)) AND """
    + SETTLED
    + "ORDER BY o.id"
)
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
