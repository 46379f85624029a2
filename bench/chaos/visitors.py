"""Clients that look at pages and watch an order while something goes on in the shop, and never ask twice.

A well-behaved client would ask again; these count what it would have had to.
"""

import asyncio
import uuid
from collections import Counter
from typing import Self

import aiohttp

from bench import buyers
from bench.load import ShopClient
from stack.program import StackError

SKU = "KI-1010"  # of the demo catalogue
PATHS = ("/cart/", "/api/products/", "/livez", "/static/shop/app.css")
PAUSE = 0.1  # seconds between two requests of one visitor
SECONDS = 30.0  # for an answer


async def _waiting_order(shop_url: str) -> str:
    """The token of a new order that waits for its buyer's bank, and so does not end."""
    who = buyers.buyer("visitor")
    purchase = buyers.purchase(str(uuid.uuid4()), who, {SKU: 1}, buyers.card("pm_card_threeDSecure2Required"))
    async with ShopClient(shop_url, 1) as client:
        answer = await client.buy(purchase)
    if not answer.accepted:
        raise StackError(f"an order of one {SKU} was refused: {answer.reason}")
    return answer.token


class Visitors:
    """Used within `async with`. What went wrong stands in sentences: answers that did not come to their end are
    `broken_off`, those that say when to come again (503 with Retry-After) `told_later`, all others `failures`. `served`
    counts answers by path."""

    def __init__(self, shop_url: str) -> None:
        self._url, self._watched = shop_url, ""
        self.failures: list[str] = []
        self.broken_off: list[str] = []
        self.told_later: list[str] = []
        self.served: Counter[str] = Counter()

    async def __aenter__(self) -> Self:
        self._watched = await _waiting_order(self._url)
        timeout = aiohttp.ClientTimeout(total=None, sock_connect=SECONDS, sock_read=SECONDS)
        self._session = aiohttp.ClientSession(self._url, timeout=timeout)
        walks = [self._walk(path) for path in PATHS]
        self._tasks = [asyncio.create_task(one) for one in (*walks, self._watch())]
        return self

    async def __aexit__(self, *_: object) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._session.close()

    async def _walk(self, path: str) -> None:
        """One page again and again, over a connection that is kept."""
        while True:
            await self._get(path)
            await asyncio.sleep(PAUSE)

    async def _watch(self) -> None:
        """An order's stream. One that ends is opened again, as browsers do."""
        while True:
            await self._get(f"/live/orders/{self._watched}")
            await asyncio.sleep(PAUSE)

    async def _get(self, path: str) -> None:
        try:
            async with self._session.get(path) as answer:
                await answer.read()
        except aiohttp.ClientPayloadError as error:
            self.broken_off.append(f"GET {path}: {error}")
            return
        except (aiohttp.ClientError, TimeoutError) as error:
            self.failures.append(f"GET {path}: {type(error).__name__} {error}")
            return
        self.served[path] += 1
        if answer.status == 503 and "Retry-After" in answer.headers:
            self.told_later.append(f"GET {path}: told to come later")
        elif answer.status >= 400:
            self.failures.append(f"GET {path}: {answer.status}")
