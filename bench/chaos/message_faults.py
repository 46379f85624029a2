"""Doubles, delays and reorders messages in the broker's queues while the shop works.

It stands in the queue as a worker does, takes what it gets, and puts it back: mostly as it was, now and then twice, a
few seconds later, or in front of those that came before. What it holds while the broker dies is lost, as any message
may be.
"""

import asyncio
import random
from collections import Counter
from contextlib import suppress

import redis.asyncio
from redis.exceptions import RedisError

# Those that an order passes through.
QUEUES = ("inventory", "payment", "shipping", "email", "sms")
# Of those that it gets, which are about half of all: the workers stand in the same queue.
SHARE = 0.1
DELAY_SECONDS = 2.0
REST_SECONDS = 0.03  # between messages, so that it does not slow the workers down


class MessageFaults:
    """Runs as long as its `async with`; `done` counts what it did."""

    def __init__(self, broker_url: str, seed: int) -> None:
        self._url, self._dice = broker_url, random.Random(seed)
        self.done: Counter[str] = Counter()
        self._delayed: set[asyncio.Task[None]] = set()
        self._leaving = False

    async def __aenter__(self) -> "MessageFaults":
        self._task = asyncio.create_task(self._run())
        return self

    async def __aexit__(self, *_: object) -> None:
        # Not cancelled: it puts back what it holds, and redis.asyncio may take a cancellation for a time-out.
        self._leaving = True
        await self._task
        await asyncio.gather(*self._delayed, return_exceptions=True)

    async def _run(self) -> None:
        names = list(QUEUES)
        while not self._leaving:
            with suppress(RedisError, OSError, TimeoutError):
                async with redis.asyncio.Redis.from_url(self._url, socket_timeout=5) as broker:
                    while not self._leaving:
                        self._dice.shuffle(names)
                        if found := await broker.brpop(names, timeout=1):
                            await self._pass_on(broker, *found)
                            await asyncio.sleep(REST_SECONDS)
            await asyncio.sleep(0.5)

    async def _pass_on(self, broker: redis.asyncio.Redis, queue: bytes, message: bytes) -> None:
        """Workers take from the right, so that is where the oldest stands."""
        self.done["seen"] += 1
        if self._dice.random() >= SHARE:
            await broker.rpush(queue, message)
            return
        what = self._dice.choice(("doubled", "delayed", "reordered"))
        self.done[what] += 1
        if what == "doubled":
            await broker.rpush(queue, message, message)
        elif what == "reordered":
            await broker.lpush(queue, message)
        else:
            task = asyncio.create_task(self._later(queue, message))
            self._delayed.add(task)
            task.add_done_callback(self._delayed.discard)

    async def _later(self, queue: bytes, message: bytes) -> None:
        await asyncio.sleep(DELAY_SECONDS)
        with suppress(RedisError, OSError, TimeoutError):
            async with redis.asyncio.Redis.from_url(self._url, socket_timeout=5) as broker:
                await broker.rpush(queue, message)
