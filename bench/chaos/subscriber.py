"""Another system that listens to `order_events` all the time, and notes what it is told in the wrong order.

It binds its queue once and stays connected, as consumers do, whatever happens to the broker. What waited in its queue
when the broker was wiped is lost to it; what comes afterwards must reach it.
"""

import threading
from collections import defaultdict
from typing import Any, Self

from kombu import Connection, Exchange, Queue
from kombu.exceptions import OperationalError
from redis.exceptions import RedisError

_PAUSE = 0.02  # seconds between looks into an empty queue


class Subscriber:
    """Used within `with`. `overtaken` are sentences; `heard` counts events since the last `forget`."""

    def __init__(self, broker_url: str) -> None:
        self._url, self._stop = broker_url, threading.Event()
        self._last: defaultdict[str, int] = defaultdict(int)  # order -> the latest of its events
        self._seen: set[int] = set()
        self.overtaken: list[str] = []
        self.heard = 0

    def __enter__(self) -> Self:
        self._connection = Connection(self._url)
        exchange = Exchange("order_events", type="topic", durable=True)
        self._queue = Queue("listener", exchange, routing_key="order.#", channel=self._connection.channel())
        self._queue.declare()
        self._thread = threading.Thread(target=self._listen)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()
        self._connection.release()

    def forget(self) -> None:
        """The broker was wiped: count anew."""
        self.heard = 0

    def _listen(self) -> None:
        while not self._stop.is_set():
            try:
                message = self._queue.get(no_ack=True)
            except (OperationalError, RedisError, OSError):
                message = None  # it is away for a moment; the connection opens itself again
            if message is None:
                self._stop.wait(_PAUSE)
                continue
            for event in message.payload["events"]:
                self._note(event)

    def _note(self, event: dict[str, Any]) -> None:
        number, order = int(event["event"]), str(event["order"])
        self.heard += 1
        if number not in self._seen and number < self._last[order]:
            self.overtaken.append(f"event {number} of {order} came after {self._last[order]}")
        self._seen.add(number)
        self._last[order] = max(self._last[order], number)
