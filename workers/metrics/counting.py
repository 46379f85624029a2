"""What is counted as it happens, in the process in which it happens, because to ask for it later would be dear.

Each event is told by one relay (workers.relay.outbox), so with several relays the sum of their counters is the truth.
They begin at 0 with their process, which whoever draws a rate from them allows for.
"""

from prometheus_client import Counter

from orders.states import EventKind

# Not in the library's own registry, which is the process's and not ours alone: workers.metrics.serving shows it.
EVENTS_TOLD = Counter(
    "stampede_order_events",
    "Order events that this relay has told the world, by kind: orders placed, paid, completed and so on.",
    ["kind"],
    registry=None,
)
for kind in EventKind:
    EVENTS_TOLD.labels(kind.value)
