"""Publishes the outbox: every OrderEvent goes out once it is committed, at least once, in order for each order.

It goes to the live pages, through one channel of Valkey that says only "look again", and to the topic exchange
`order_events`, where any other system may bind a queue to `order.*`, as one message for each event. The log is the
outbox: events that could not be published while the broker was away are published when it is back. They wait already
when the broker is filling up, before orders have to: a subscriber that does not read must not stop the shop.
"""

from collections import Counter
from time import monotonic
from typing import Any, LiteralString

import orjson
from kombu import Exchange, Producer

from orders import sql
from orders.crashpoints import Point, reached
from orders.database.vanishing import SESSION_LOCK, SESSION_UNLOCK
from orders.models.order import number_of
from workers.adapters.bindings import Bindings
from workers.broker import Broker, client
from workers.celery import app
from workers.metrics.counting import EVENTS_PUBLISHED

LIVE_CHANNEL = "stampede:events"
ORDER_EVENTS = Exchange("order_events", type="topic", durable=True)
BATCH = 500
FULL = 0.7  # share of the broker's memory from which on events wait in the database
LOOK = 0.5  # seconds between looks who is bound, when nothing is to be published
_PUBLISHER = 0x57A3BEDE  # a number that nothing else locks

# The next events that are committed and not published.
_UNPUBLISHED: LiteralString = """
SELECT e.id, o.token, e.order_id, e.kind, e.at, e.detail
FROM orders_orderevent e JOIN orders_order o ON o.id = e.order_id
WHERE e.published_at IS NULL ORDER BY e.id LIMIT %(limit)s
"""
# One relay publishes at a time. The lock is the session's, so no transaction is open while we wait for the broker.
_LOCK: LiteralString = f"SELECT pg_try_advisory_lock(%(publisher)s), {SESSION_LOCK}"
# Another relay may publish.
_UNLOCK: LiteralString = f"SELECT pg_advisory_unlock(%(publisher)s), {SESSION_UNLOCK}"
# These are published.
_PUBLISHED: LiteralString = "UPDATE orders_orderevent SET published_at = now() WHERE id = ANY(%(ids)s)"


class Outbox:
    def __init__(self) -> None:
        self._broker = Broker()
        self._bindings = Bindings(client(), ORDER_EVENTS.name)
        self._looked_at = 0.0

    def run_once(self) -> float | None:
        """Publish, and again at once while there is more. Raises OperationalError, RedisError or kombu's error."""
        return 0.0 if self.publish() == BATCH else None

    def publish(self) -> int:
        """Publish the next events; returns how many."""
        if monotonic() > self._looked_at + LOOK:
            self._bindings.keep()
            self._looked_at = monotonic()
        if not sql.rows(_UNPUBLISHED, {"limit": 1}):
            return 0
        self._broker.ready(FULL)
        if not sql.rows(_LOCK, {"publisher": _PUBLISHER})[0][0]:
            return 0
        try:
            events = sql.rows(_UNPUBLISHED, {"limit": BATCH})
            self._broker.publish(
                LIVE_CHANNEL, orjson.dumps([[token, kind] for _, token, _, kind, _, _ in events])
            )
            reached(Point.OUTBOX_BEFORE_PUBLISH)
            if self._bindings.keep():
                with self._broker.publishing(), app.producer_pool.acquire(block=True) as producer:
                    _publish(producer, events)
            reached(Point.OUTBOX_AFTER_PUBLISH)
            sql.count(_PUBLISHED, {"ids": [event_id for event_id, *_ in events]})
            reached(Point.OUTBOX_AFTER_MARK)
            for kind, count in Counter(kind for _, _, _, kind, _, _ in events).items():
                EVENTS_PUBLISHED.labels(kind).inc(count)
        finally:
            sql.rows(_UNLOCK, {"publisher": _PUBLISHER})
        return len(events)


def _publish(producer: Producer, events: list[tuple[Any, ...]]) -> None:
    """One message for each, in their order: grouped, an event could overtake an earlier one of its order."""
    for event_id, _, order_id, kind, at, detail in events:
        event = {"event": event_id, "order": number_of(order_id), "at": at.isoformat(), "detail": detail}
        producer.publish(
            {"kind": kind, "events": [event]},
            exchange=ORDER_EVENTS,
            routing_key=kind,
            declare=[ORDER_EVENTS],
            serializer="json",
            retry=False,
        )
