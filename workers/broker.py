"""What we ask of Valkey itself: how much waits in the queues, for which orders, whether it was wiped, and whether it
takes more."""

import base64
from collections.abc import Collection, Iterable, Iterator
from contextlib import contextmanager
from time import monotonic

import orjson
import redis
from django.conf import settings
from kombu.exceptions import OperationalError as BrokerError

from orders.workflow import Step
from workers.celery import ANSWER
from workers.queues import QueueName

# There for as long as the broker has what was dispatched: FLUSHALL or a restart without its file removes it.
_REMEMBERS = "stampede:remembers"
# Share of its memory from which on nothing new is dispatched. What is under way needs the rest: workers write there
# what they have taken, and dispatch the next step.
FULL = 0.9
_READY_SECONDS = 0.5  # for which an answer about its memory is good


def client(seconds: float = ANSWER) -> redis.Redis:
    """A client of the broker, which may take so long to answer."""
    limits = {"socket_timeout": seconds, "socket_connect_timeout": seconds}
    return redis.Redis.from_url(settings.BROKER_URL, **limits, health_check_interval=ANSWER)


class BrokerFull(redis.RedisError):
    """It has so little memory left that nothing new is published."""


class Broker:
    def __init__(self, seconds: float = ANSWER) -> None:
        self._redis = client(seconds)
        self._refused = False
        self._filled, self._asked_at = 0.0, 0.0

    def memory(self) -> tuple[int, int]:
        """(bytes that it uses, its limit or 0 if it has none). Raises redis.RedisError."""
        found = self._redis.info("memory")
        return found["used_memory"], found["maxmemory"]

    def ready(self, full: float = FULL) -> None:
        """To be asked before rows are claimed for messages: a claim that cannot be dispatched is a write for nothing,
        and comes again with every look. Raises BrokerFull from this share of its memory on, and redis.RedisError as
        long as it refuses a word of ours as it has refused a message (full, read-only, its disk)."""
        if self._refused or monotonic() > self._asked_at + _READY_SECONDS:
            used, limit = self.memory()
            self._filled, self._asked_at = used / limit if limit else 0.0, monotonic()
        if self._filled >= full:
            raise BrokerFull(
                f"{self._filled:.0%} of the broker's memory is taken, and from {full:.0%} on it waits"
            )
        if self._refused:
            self.remember()
            self._refused = False

    @contextmanager
    def publishing(self) -> Iterator[None]:
        """Messages are published within. When one is refused, `ready` tries before anything else is claimed."""
        try:
            yield
        except (BrokerError, redis.RedisError):
            self._refused = True
            raise

    def look(self) -> tuple[dict[QueueName, int], bool]:
        """(messages waiting in each queue, whether the broker still remembers). Raises redis.RedisError."""
        pipe = self._redis.pipeline(transaction=False)
        for name in QueueName:
            pipe.llen(name.value)
        pipe.exists(_REMEMBERS)
        *lengths, remembers = pipe.execute()
        return dict(zip(QueueName, lengths, strict=True)), bool(remembers)

    def orders_waiting(self, queues: Iterable[QueueName]) -> set[int]:
        """The orders of which a message still waits in one of these queues. Raises redis.RedisError."""
        pipe = self._redis.pipeline(transaction=False)
        for name in queues:
            pipe.lrange(name.value, 0, -1)
        return {
            order_id for messages in pipe.execute() for message in messages for order_id in orders_in(message)
        }

    def length(self, queue: QueueName) -> int:
        """Messages waiting in this queue. Raises redis.RedisError."""
        return int(self._redis.llen(queue.value))

    def remember(self) -> None:
        self._redis.set(_REMEMBERS, "1")

    def publish(self, channel: str, message: bytes) -> None:
        self._redis.publish(channel, message)


def waiting(lengths: dict[QueueName, int], queues: Collection[QueueName]) -> int:
    return sum(lengths[name] for name in queues)


def read_step(item: bytes) -> tuple[Step, list[int]] | None:
    """The step and the orders of a message in a queue, or of one that a node has taken; None if it is no step's.

    Celery writes a message by its protocol 2. Of one that is taken kombu keeps [message, exchange, routing key].
    """
    try:
        message = orjson.loads(item)
        message = message[0] if isinstance(message, list) else message
        args = orjson.loads(base64.b64decode(message["body"]))[0]
        ids = [order_id for order_id in args[0] if isinstance(order_id, int)]
        return Step(message["headers"]["task"]), ids
    except (ValueError, KeyError, IndexError, TypeError):
        return None


def orders_in(item: bytes) -> list[int]:
    """The orders of a step's message; none if it is no step's."""
    found = read_step(item)
    return found[1] if found else []
