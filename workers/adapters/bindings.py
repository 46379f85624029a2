"""Bindings of an exchange that outlive a wiped broker.

A subscriber declares its binding once, when it connects, and kombu keeps it in Valkey alone. So after FLUSHALL a
subscriber that stays connected would get nothing, and nobody would notice. Here the relay remembers who is bound, and
binds them again when the broker was wiped. One who took his binding back, from a broker that remembers, stays unbound.

Relies on kombu 5.7: the set `_kombu.binding.EXCHANGE`.
Noticed by: tests/integration/workers/test_event_order.py.
"""

import logging

import redis

log = logging.getLogger(__name__)

_REMEMBERS = "stampede:bound"  # there for as long as the broker has the bindings


class Bindings:
    """Of one exchange, remembered by this process from its first look on."""

    def __init__(self, client: redis.Redis, exchange: str) -> None:
        self._redis, self._key = client, f"_kombu.binding.{exchange}"
        self._known: set[bytes] = set()

    def keep(self) -> bool:
        """Look who is bound, and bind again whom a wiped broker has forgotten; returns whether anybody is. Raises
        redis.RedisError."""
        pipe = self._redis.pipeline()
        pipe.exists(_REMEMBERS)
        pipe.smembers(self._key)
        remembers, found = pipe.execute()
        if not remembers:
            if forgotten := self._known - found:
                self._redis.sadd(self._key, *forgotten)
                log.warning("The broker was wiped: %d subscribers are bound again.", len(forgotten))
            self._redis.set(_REMEMBERS, "1")
            found |= self._known
        self._known = found
        return bool(found)
