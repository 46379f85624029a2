"""What the relay asks of Valkey itself: how much waits in the queues, and whether it forgot everything."""

from collections.abc import Collection

import redis
from django.conf import settings

from workers.queues import QueueName

# Present as long as the broker remembers what was rung; FLUSHALL or a restart without its file takes it away.
_REMEMBERS = "stampede:remembers"


class Broker:
    def __init__(self) -> None:
        self._redis = redis.Redis.from_url(
            settings.BROKER_URL, socket_timeout=5, socket_connect_timeout=2, health_check_interval=10
        )

    def look(self) -> tuple[dict[QueueName, int], bool]:
        """(messages waiting in each queue, whether the broker still remembers). Raises redis.RedisError."""
        pipe = self._redis.pipeline(transaction=False)
        for name in QueueName:
            pipe.llen(name.value)
        pipe.exists(_REMEMBERS)
        *lengths, remembers = pipe.execute()
        return dict(zip(QueueName, lengths, strict=True)), bool(remembers)

    def remember(self) -> None:
        self._redis.set(_REMEMBERS, "1")

    def publish(self, channel: str, message: bytes) -> None:
        self._redis.publish(channel, message)


def waiting(lengths: dict[QueueName, int], queues: Collection[QueueName]) -> int:
    return sum(lengths[name] for name in queues)
