"""The log is complete: every order's events are legal steps, and they lead to the state it is in."""

from typing import LiteralString

from orders.states import FULFILLABLE_STATES, STATE_AFTER, STEPS, EventKind
from workers.audit.rules import Check, Rule

# Events that are no legal step. Each is seen with the state it leads to (null if it changes none) and the last event
# before it that led to one.
_ILLEGAL: LiteralString = """
WITH logged AS (
    SELECT e.id, e.order_id, e.kind, after.state,
           max(e.id) FILTER (WHERE after.state IS NOT NULL)
               OVER (PARTITION BY e.order_id ORDER BY e.id ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING) AS before
    FROM orders_orderevent e
    LEFT JOIN unnest(%(event_kinds)s::text[], %(event_states)s::text[]) AS after (kind, state) ON after.kind = e.kind
), replayed AS (
    SELECT logged.id, logged.order_id, logged.kind, logged.state, earlier.state AS left_state
    FROM logged LEFT JOIN logged earlier ON earlier.id = logged.before
)
SELECT order_id, CASE
    WHEN left_state IS NULL THEN 'begins its log with ' || kind || ', not with order.placed.'
    WHEN kind <> ALL(%(known)s) THEN 'has an event in its log of an unknown kind: ' || kind || '.'
    ELSE 'went on from ' || left_state || ' with ' || kind || ', which is no legal step.' END
FROM replayed
WHERE kind <> ALL(%(known)s)
   OR left_state IS NULL AND kind <> 'order.placed'
   OR left_state IS NOT NULL AND state IS NOT NULL
      AND (left_state, state) NOT IN (SELECT * FROM unnest(%(sources)s::text[], %(targets)s::text[]))
   OR kind = 'order.shipped' AND left_state <> ALL(%(shippable)s)
ORDER BY order_id, id
"""
# Orders whose log leads to another state than the one they are in.
_ELSEWHERE: LiteralString = """
SELECT o.id, 'is ' || o.status || ', but its log ends with ' || coalesce(last.state, 'nothing: it is empty') || '.'
FROM orders_order o
LEFT JOIN (
    SELECT DISTINCT ON (e.order_id) e.order_id, after.state
    FROM orders_orderevent e
    JOIN unnest(%(event_kinds)s::text[], %(event_states)s::text[]) AS after (kind, state) ON after.kind = e.kind
    ORDER BY e.order_id, e.id DESC
) AS last ON last.order_id = o.id
WHERE o.status IS DISTINCT FROM last.state ORDER BY o.id
"""
# Booked shipments that the log does not have once, and shipped events without a booked shipment.
_SHIPPED: LiteralString = """
SELECT order_id, CASE
    WHEN s.order_id IS NULL THEN 'was shipped according to its log, but has no booked shipment.'
    ELSE 'has a booked shipment, but its log has order.shipped ' || coalesce(e.times, 0) || ' times.' END
FROM (SELECT order_id FROM orders_shipment WHERE status = 'booked') AS s
FULL JOIN (SELECT order_id, count(*) AS times FROM orders_orderevent WHERE kind = 'order.shipped' GROUP BY order_id)
          AS e USING (order_id)
WHERE s.order_id IS NULL OR e.times IS DISTINCT FROM 1 ORDER BY order_id
"""

CHECK = Check(
    name="events",
    noun="events",
    counts="SELECT count(*) FROM orders_orderevent",
    rules=(Rule(_ILLEGAL), Rule(_ELSEWHERE), Rule(_SHIPPED)),
    remedy="Something other than orders.scheduling.advance has changed these orders: find out what it was.",
    params={
        "known": [kind.value for kind in EventKind],
        "event_kinds": [kind.value for kind in STATE_AFTER],
        "event_states": [status.value for status in STATE_AFTER.values()],
        "sources": [source.value for source, targets in STEPS.items() for _ in targets],
        "targets": [target.value for targets in STEPS.values() for target in targets],
        "shippable": [status.value for status in FULFILLABLE_STATES],
    },
)
