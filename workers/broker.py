"""What the relay asks of Valkey itself: how much waits in the queues, for whom, and whether it forgot everything."""

import base64
from collections.abc import Collection, Iterable

import orjson
import redis
from django.conf import settings

from workers.celery import ANSWER
from workers.queues import QueueName

# Present as long as the broker remembers what was rung; FLUSHALL or a restart without its file takes it away.
_REMEMBERS = "stampede:remembers"


class Broker:
    def __init__(self, seconds: float = ANSWER) -> None:
        """`seconds` is how long it may take to answer."""
        self._redis = redis.Redis.from_url(
            settings.BROKER_URL,
            socket_timeout=seconds,
            socket_connect_timeout=seconds,
            health_check_interval=ANSWER,
        )

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


def orders_in(message: bytes) -> list[int]:
    """The orders that a step's message speaks of, as Celery writes it (protocol 2); none if it is no step's."""
    try:
        args = orjson.loads(base64.b64decode(orjson.loads(message)["body"]))[0]
        return [order_id for order_id in args[0] if isinstance(order_id, int)]
    except (ValueError, KeyError, IndexError, TypeError):
        return []
