"""The feed of order events: one subscription to the channel that the relay publishes to. It reconnects by itself."""

import asyncio
import logging
from collections.abc import Callable

import orjson
from redis.asyncio import Redis
from redis.exceptions import RedisError

CHANNEL = "stampede:events"
QUIET = 5.0  # seconds without a message before a PING is sent, and again before the connection is given up
RETRY_FIRST, RETRY_LAST = 0.1, 2.0  # seconds

# What the relay publishes: pairs of an order's token and a kind of event.
Batch = list[tuple[str, str]]

logger = logging.getLogger(__name__)


class Feed:
    """`subscribed` tells whether events arrive; while it is false, the database has to be asked instead."""

    def __init__(
        self, broker_url: str, on_batch: Callable[[Batch], None], on_switch: Callable[[], None]
    ) -> None:
        self._url, self._on_batch, self._on_switch = broker_url, on_batch, on_switch
        self.subscribed = False

    async def listen(self) -> None:
        """Call `on_batch` with every batch and `on_switch` whenever `subscribed` changes, until cancelled."""
        pause = RETRY_FIRST
        while True:
            try:
                async with Redis.from_url(
                    self._url, socket_connect_timeout=2, socket_keepalive=True
                ) as valkey:
                    await self._follow(valkey)
            except (RedisError, OSError) as error:
                if self.subscribed or pause == RETRY_FIRST:
                    logger.warning(
                        "The feed of order events is down, streams ask the database instead: %s", error
                    )
                pause = RETRY_FIRST if self.subscribed else min(2 * pause, RETRY_LAST)
                self._switch(False)
            await asyncio.sleep(pause)

    async def _follow(self, valkey: Redis) -> None:
        async with valkey.pubsub() as pubsub:
            await pubsub.subscribe(CHANNEL)
            pinged = False
            while True:
                message = await pubsub.get_message(timeout=QUIET)
                if message is None:
                    # A server that hangs keeps its sockets open; only silence after a PING shows it.
                    if pinged:
                        raise ConnectionError(f"no answer for {2 * QUIET:.0f} seconds")
                    await pubsub.ping()
                pinged = message is None
                if message and message["type"] == "subscribe":
                    logger.info("Listening to the feed of order events.")
                    self._switch(True)
                elif message and message["type"] == "message":
                    self._on_batch(_read(message["data"]))

    def _switch(self, subscribed: bool) -> None:
        if subscribed is not self.subscribed:
            self.subscribed = subscribed
            self._on_switch()


def _read(data: bytes) -> Batch:
    """The batch in a message; empty if the relay cannot have written it."""
    try:
        return [(str(token), str(kind)) for token, kind in orjson.loads(data)]
    except (orjson.JSONDecodeError, TypeError, ValueError):
        logger.warning("A message in the channel %s is not a list of tokens and kinds: %.100r", CHANNEL, data)
        return []
