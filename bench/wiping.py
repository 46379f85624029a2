"""Making the broker forget everything.

By a blocking client, which is called in a thread: redis.asyncio may take a cancellation for a time-out, and then
whoever wipes again and again is never told to stop.
"""

import redis
from redis.exceptions import RedisError


def wipe(broker_url: str) -> bool:
    """FLUSHALL; returns whether the broker was there to hear it."""
    try:
        with redis.Redis.from_url(broker_url, socket_timeout=5) as broker:
            broker.flushall()
    except RedisError:
        return False
    return True
