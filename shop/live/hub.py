"""Who watches which order, and what they are told.

A stream has three sources: the feed, at once; a query right after the event of an order's last state, and then twice a
second until its end is written, because only the database knows whether anything is left to do; and a sweep over all
watched orders in one query, which makes up for what the feed has lost, and replaces it while Valkey is down.
"""

import asyncio
import logging
from collections.abc import Collection

import psycopg

from orders.states import END_STATES, STATE_AFTER, EventKind, OrderStatus
from shop.live.feed import Batch, Feed
from shop.live.statuses import LiveStatus, Statuses

SWEEP = 15.0  # seconds between two sweeps
SWEEP_WITHOUT_FEED = 2.0
SWEEP_ENDING = (
    0.5  # for orders that have come to their last state and still have something to be done for them
)
_MOST_UNTOLD = 20

_STATE_AFTER: dict[str, OrderStatus] = {kind.value: state for kind, state in STATE_AFTER.items()}

logger = logging.getLogger(__name__)


class Watch:
    """One stream's view of its order: the kinds of event it was not told yet, and whether the order has ended."""

    __slots__ = ("_wake", "ended", "gone", "status", "token", "untold")

    def __init__(self, token: str) -> None:
        self.token = token
        self.status: OrderStatus | None = None
        self.untold: list[str] = []
        self.ended = False
        self.gone = False  # the client has left, or the process ends
        self._wake = asyncio.Event()

    async def change(self) -> None:
        """Wait until there is something new to tell."""
        await self._wake.wait()
        self._wake.clear()

    def hear(self, kind: str) -> None:
        self.untold.append(kind)
        # A client that reads too slowly loses nothing: every event only says "fetch".
        del self.untold[:-_MOST_UNTOLD]
        self.status = _STATE_AFTER.get(kind, self.status)
        self._wake.set()

    def see(self, now: LiveStatus) -> None:
        if now.status is not self.status:
            self.hear(EventKind(f"order.{now.status.value}").value)
        if now.ended and not self.ended:
            self.ended = True
            self._wake.set()

    def leave(self) -> None:
        self.gone = True
        self._wake.set()


class Hub:
    def __init__(self, database_url: str, broker_url: str) -> None:
        self._statuses = Statuses(database_url)
        self._feed = Feed(broker_url, self._hear, self._sweep_all)
        self._watches: dict[str, set[Watch]] = {}
        # Tokens of orders in their last state. That is told when it begins; the end is written when the stock is back,
        # the money returned and the customer told, and no event says so.
        self._ending: set[str] = set()
        self._sweep_now = asyncio.Event()
        self._sweep_everything = False
        self._tasks: list[asyncio.Task[None]] = []
        self.streams = 0

    @property
    def subscribed(self) -> bool:
        return self._feed.subscribed

    def start(self) -> None:
        self._tasks = [asyncio.create_task(self._feed.listen()), asyncio.create_task(self._sweep())]

    async def stop(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._statuses.close()

    def end_all(self) -> None:
        """The process ends: each stream ends as if its order had, and browsers open it again elsewhere."""
        for watches in self._watches.values():
            for watch in watches:
                watch.leave()

    async def open(self, token: str) -> Watch | None:
        """Begin to watch an order; None if no order has this token. Raises psycopg.Error or TimeoutError."""
        watch = Watch(token)
        # Listen first, then query: an event between the two is not missed.
        self._watches.setdefault(token, set()).add(watch)
        self.streams += 1
        try:
            found = (await self._statuses.of([token])).get(token)
        except BaseException:
            self.close(watch)
            raise
        if found is None:
            self.close(watch)
            return None
        watch.see(found)
        if found.ending:
            self._ending.add(token)
            self._sweep_now.set()
        return watch

    def close(self, watch: Watch) -> None:
        watches = self._watches[watch.token]
        watches.discard(watch)
        if not watches:
            del self._watches[watch.token]
        self.streams -= 1

    def _hear(self, batch: Batch) -> None:
        for token, kind in batch:
            for watch in self._watches.get(token, ()):
                watch.hear(kind)
                if _STATE_AFTER.get(kind) in END_STATES:
                    self._ending.add(token)
                    self._sweep_now.set()

    def _sweep_all(self) -> None:
        """The feed was lost or is back: events of that moment were missed."""
        self._sweep_everything = True
        self._sweep_now.set()

    async def _sweep(self) -> None:
        failing = False
        clock = asyncio.get_running_loop().time
        swept = clock()  # when all were last asked about
        while True:
            due = swept + (SWEEP if self.subscribed else SWEEP_WITHOUT_FEED)
            try:
                async with asyncio.timeout(min(due - clock(), SWEEP_ENDING if self._ending else SWEEP)):
                    await self._sweep_now.wait()
            except TimeoutError:
                pass  # nobody calls: look by the clock
            self._sweep_now.clear()
            tokens: Collection[str] = self._ending
            if self._sweep_everything or clock() >= due:
                swept, tokens = clock(), list(self._watches)
            self._sweep_everything, self._ending = False, set()
            try:
                statuses = await self._statuses.of(tokens) if tokens else {}
                failing = False
            except (psycopg.Error, TimeoutError) as error:
                if not failing:
                    logger.warning("The database does not answer, streams wait: %s", error)
                failing = True
                self._ending |= set(tokens)
                continue
            for token, now in statuses.items():
                watches = self._watches.get(token, ())
                for watch in watches:
                    watch.see(now)
                if watches and now.ending:
                    self._ending.add(token)
