"""What is counted as it happens, because asking for it later would cost too much.

Each event is published by one relay (workers.relay.outbox), so the sum over all relays is right. The counters begin at
0 with their process, which Prometheus allows for in a rate.
"""

from prometheus_client import Counter

from orders.states import EventKind

# Not in the library's registry, which other code of the process uses too: workers.metrics.serving shows it.
EVENTS_PUBLISHED = Counter(
    "stampede_order_events",
    "Order events that this relay has published, by kind: orders placed, paid, completed and so on.",
    ["kind"],
    registry=None,
)
for kind in EventKind:
    EVENTS_PUBLISHED.labels(kind.value)
