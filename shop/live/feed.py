"""The feed of order events: one subscription to the channel that the relay publishes to, kept up by
itself."""

import asyncio
import logging
from collections.abc import Callable

import orjson
from redis.asyncio import Redis
from redis.exceptions import RedisError

CHANNEL = "stampede:events"
QUIET = (
    5.0  # seconds without a message until the connection is tried with a PING, and again until it is given up
)
RETRY_FIRST, RETRY_LAST = 0.1, 2.0  # seconds

# What the relay publishes: pairs of an order's token and the kind of event.
Batch = list[tuple[str, str]]

logger = logging.getLogger(__name__)


class Feed:
    """`subscribed` says whether events arrive; while it is false, whoever needs them has to ask the
    database."""

    def __init__(self, broker_url: str, heard: Callable[[Batch], None], switched: Callable[[], None]) -> None:
        self._url, self._heard, self._switched = broker_url, heard, switched
        self.subscribed = False

    async def listen(self) -> None:
        """Call `heard` with every batch, and `switched` whenever `subscribed` changes, until it is cancelled."""
        pause = RETRY_FIRST
        while True:
            try:
                async with Redis.from_url(
                    self._url, socket_connect_timeout=2, socket_keepalive=True
                ) as valkey:
                    await self._follow(valkey)
            except (RedisError, OSError) as error:
                if self.subscribed or pause == RETRY_FIRST:
                    logger.warning("The feed of order events is away, streams fall back to asking: %s", error)
                pause = RETRY_FIRST if self.subscribed else min(2 * pause, RETRY_LAST)
                self._switch(False)
            await asyncio.sleep(pause)

    async def _follow(self, valkey: Redis) -> None:
        async with valkey.pubsub() as pubsub:
            await pubsub.subscribe(CHANNEL)
            tried = False
            while True:
                message = await pubsub.get_message(timeout=QUIET)
                if message is None:
                    # A server that hangs keeps its sockets open; only silence after a PING gives it away.
                    if tried:
                        raise ConnectionError(f"no answer for {2 * QUIET:.0f} seconds")
                    await pubsub.ping()
                tried = message is None
                if message and message["type"] == "subscribe":
                    logger.info("Listening to the feed of order events.")
                    self._switch(True)
                elif message and message["type"] == "message":
                    self._heard(_read(message["data"]))

    def _switch(self, subscribed: bool) -> None:
        if subscribed is not self.subscribed:
            self.subscribed = subscribed
            self._switched()


def _read(data: bytes) -> Batch:
    """The batch in a message; an empty one if it is not as the relay writes it."""
    try:
        return [(str(token), str(kind)) for token, kind in orjson.loads(data)]
    except (orjson.JSONDecodeError, TypeError, ValueError):
        logger.warning("A message in the channel %s is not a list of tokens and kinds: %.100r", CHANNEL, data)
        return []
