"""What we ask of Valkey itself: how much waits in the queues, for which orders, and whether it was wiped."""

import base64
from collections.abc import Collection, Iterable

import orjson
import redis
from django.conf import settings

from orders.workflow import Step
from workers.celery import ANSWER
from workers.queues import QueueName

# There for as long as the broker has what was dispatched: FLUSHALL or a restart without its file removes it.
_REMEMBERS = "stampede:remembers"


def client(seconds: float = ANSWER) -> redis.Redis:
    """A client of the broker, which may take so long to answer."""
    limits = {"socket_timeout": seconds, "socket_connect_timeout": seconds}
    return redis.Redis.from_url(settings.BROKER_URL, **limits, health_check_interval=ANSWER)


class Broker:
    def __init__(self, seconds: float = ANSWER) -> None:
        self._redis = client(seconds)

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
