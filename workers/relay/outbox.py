"""Publishes the outbox: every OrderEvent goes out once it is committed, at least once, in order.

It goes to the live pages, through one channel of Valkey that says only "look again", and to the topic exchange
`order_events`, where any other system may bind a queue to `order.*`. The log is the outbox: events that could not be
published while the broker was away are published when it is back.
"""

from collections import defaultdict
from typing import LiteralString

import orjson
from kombu import Exchange, Producer

from orders import sql
from orders.crashpoints import Point, reached
from orders.models.order import number_of
from workers.broker import Broker
from workers.celery import app
from workers.metrics.counting import EVENTS_PUBLISHED

LIVE_CHANNEL = "stampede:events"
ORDER_EVENTS = Exchange("order_events", type="topic", durable=True)
BATCH = 500
_PUBLISHER = 0x57A3BEDE  # a number that nothing else locks

# The next events that are committed and not published.
_UNPUBLISHED: LiteralString = """
SELECT e.id, o.token, e.order_id, e.kind, e.at, e.detail
FROM orders_orderevent e JOIN orders_order o ON o.id = e.order_id
WHERE e.published_at IS NULL ORDER BY e.id LIMIT %(limit)s
"""
# One relay publishes at a time. The lock is the session's, so no transaction is open while we wait for the broker.
_LOCK: LiteralString = "SELECT pg_try_advisory_lock(%(publisher)s)"
# Another relay may publish.
_UNLOCK: LiteralString = "SELECT pg_advisory_unlock(%(publisher)s)"
# These are published.
_PUBLISHED: LiteralString = "UPDATE orders_orderevent SET published_at = now() WHERE id = ANY(%(ids)s)"


class Outbox:
    def __init__(self) -> None:
        self._broker = Broker()

    def run_once(self) -> float | None:
        """Publish, and again at once while there is more. Raises OperationalError, RedisError or kombu's error."""
        return 0.0 if self.publish() == BATCH else None

    def publish(self) -> int:
        """Publish the next events; returns how many."""
        if not sql.rows(_UNPUBLISHED, {"limit": 1}) or not sql.rows(_LOCK, {"publisher": _PUBLISHER})[0][0]:
            return 0
        try:
            events = sql.rows(_UNPUBLISHED, {"limit": BATCH})
            self._broker.publish(
                LIVE_CHANNEL, orjson.dumps([[token, kind] for _, token, _, kind, _, _ in events])
            )
            by_kind: dict[str, list[dict[str, object]]] = defaultdict(list)
            for event_id, _, order_id, kind, at, detail in events:
                by_kind[kind].append(
                    {"event": event_id, "order": number_of(order_id), "at": at.isoformat(), "detail": detail}
                )
            reached(Point.OUTBOX_BEFORE_PUBLISH)
            with app.producer_pool.acquire(block=True) as producer:
                _publish(producer, by_kind)
            reached(Point.OUTBOX_AFTER_PUBLISH)
            sql.count(_PUBLISHED, {"ids": [event_id for event_id, *_ in events]})
            reached(Point.OUTBOX_AFTER_MARK)
            for kind, published in by_kind.items():
                EVENTS_PUBLISHED.labels(kind).inc(len(published))
        finally:
            sql.rows(_UNLOCK, {"publisher": _PUBLISHER})
        return len(events)


def _publish(producer: Producer, by_kind: dict[str, list[dict[str, object]]]) -> None:
    for kind, events in by_kind.items():
        producer.publish(
            {"kind": kind, "events": events},
            exchange=ORDER_EVENTS,
            routing_key=kind,
            declare=[ORDER_EVENTS],
            serializer="json",
            retry=False,
        )
