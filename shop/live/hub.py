"""Who watches which order, and what they are told.

Three sources move a stream: the feed, at once; a look at the database right after an event that may be an
order's last, because only the database says whether anything is left to do; and a sweep over all watched
orders in one query, which makes up for everything that the feed lost, and stands in for it while Valkey is
away.
"""

import asyncio
import logging
from collections.abc import Collection

import psycopg

from orders.states import END_STATES, STATE_AFTER, EventKind, OrderStatus
from shop.live.feed import Batch, Feed
from shop.live.standings import Standing, Standings

SWEEP = 15.0  # seconds between two sweeps
SWEEP_WITHOUT_FEED = 2.0
_MOST_UNTOLD = 20

_STATE_AFTER: dict[str, OrderStatus] = {kind.value: state for kind, state in STATE_AFTER.items()}

logger = logging.getLogger(__name__)


class Watch:
    """One stream's view of its order: the kinds of event it has not been told yet, and whether the order has
    ended."""

    __slots__ = ("_wake", "ended", "gone", "status", "token", "untold")

    def __init__(self, token: str) -> None:
        self.token = token
        self.status: OrderStatus | None = None
        self.untold: list[str] = []
        self.ended = False
        self.gone = False  # the client has left
        self._wake = asyncio.Event()

    async def change(self) -> None:
        """Return when there is something new to tell."""
        await self._wake.wait()
        self._wake.clear()

    def hear(self, kind: str) -> None:
        self.untold.append(kind)
        # A client that reads too slowly loses nothing by this: each event says no more than "fetch".
        del self.untold[:-_MOST_UNTOLD]
        self.status = _STATE_AFTER.get(kind, self.status)
        self._wake.set()

    def see(self, standing: Standing) -> None:
        if standing.status is not self.status:
            self.hear(EventKind(f"order.{standing.status.value}").value)
        if standing.ended and not self.ended:
            self.ended = True
            self._wake.set()

    def leave(self) -> None:
        self.gone = True
        self._wake.set()


class Hub:
    def __init__(self, database_url: str, broker_url: str) -> None:
        self._standings = Standings(database_url)
        self._feed = Feed(broker_url, self._hear, self._look_at_all)
        self._watches: dict[str, set[Watch]] = {}
        self._doubtful: set[str] = set()  # tokens of orders that may have ended
        self._sweep_now = asyncio.Event()
        self._all = False
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
        await self._standings.close()

    async def open(self, token: str) -> Watch | None:
        """Begin to watch an order; None if there is none with this token. Raises psycopg.Error or
        TimeoutError."""
        watch = Watch(token)
        # First listen, then look: what happens between the two is heard.
        self._watches.setdefault(token, set()).add(watch)
        self.streams += 1
        try:
            standing = (await self._standings.of([token])).get(token)
        except BaseException:
            self.close(watch)
            raise
        if standing is None:
            self.close(watch)
            return None
        watch.see(standing)
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
                    self._doubtful.add(token)
        if self._doubtful:
            self._sweep_now.set()

    def _look_at_all(self) -> None:
        """The feed was lost or is back: what was said at that moment went unheard."""
        self._all = True
        self._sweep_now.set()

    async def _sweep(self) -> None:
        failing = False
        while True:
            try:
                async with asyncio.timeout(SWEEP if self.subscribed else SWEEP_WITHOUT_FEED):
                    await self._sweep_now.wait()
            except TimeoutError:
                self._all = True
            self._sweep_now.clear()
            tokens: Collection[str] = list(self._watches) if self._all else self._doubtful
            self._all, self._doubtful = False, set()
            try:
                standings = await self._standings.of(tokens) if tokens else {}
                failing = False
            except (psycopg.Error, TimeoutError) as error:
                if not failing:
                    logger.warning("The database does not answer, streams wait: %s", error)
                failing = True
                continue
            for token, standing in standings.items():
                for watch in self._watches.get(token, ()):
                    watch.see(standing)
