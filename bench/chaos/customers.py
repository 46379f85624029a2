"""The virtual customers of a campaign: every way an order can go, so that every step of the workflow has work.

They pay by card or at the door, are declined, want what is sold out, cancel while their card is being charged, and
confirm with their bank, or do not, or cancel then. Like any well-behaved client they ask again when they get no answer,
with the same key.
"""

import asyncio
import itertools
import random
from collections.abc import Iterator
from contextlib import AsyncExitStack, suppress
from typing import LiteralString, Self

import aiohttp

from bench import buyers
from bench.buyers import COD, card
from bench.load import Answer, Purchase, ShopClient
from bench.run import Run
from stack.program import StackError

PLENTY = 10_000_000
SCARCE = 5  # pieces of the product that is soon sold out
CONNECTIONS = 64
BANK_SECONDS = 0.3  # between looks at who waits for a bank's confirmation
CANCEL_AFTER = (0.0, 2.0)  # seconds; charging a slow card takes two, so that most cancel while it is charged
CANCEL_TRIES = 5

# Orders that wait for their bank.
_WAITING: LiteralString = """
SELECT o.id, o.token, p.action_url FROM orders_order o JOIN orders_payment p ON p.order_id = o.id
WHERE o.status = 'awaiting_payment' AND p.action_url <> '' AND o.idempotency_key LIKE %(keys)s ORDER BY o.id
"""

_VISA, _SLOW, _FLAKY = card(), card("pm_sandbox_slow"), card("pm_sandbox_flaky")
_BANK, _DECLINED = card("pm_card_threeDSecure2Required"), card("pm_card_chargeDeclined")
# How they pay, in turns. Who pays with the slow card cancels at once; one of each turn wants what is sold out.
_PAYMENTS = (_VISA, _SLOW, _VISA, _BANK, _VISA, _VISA, COD, _DECLINED, _VISA, _BANK, _VISA, _FLAKY)
_WANTS_SCARCE = 5


class Customers:
    """Place orders and follow them up; `answers` is what they were answered, by idempotency key."""

    def __init__(self, run: Run, seed: int) -> None:
        self._run, self._dice = run, random.Random(seed)
        self.answers: dict[str, Answer] = {}
        self.asked = 0  # orders asked for, answered or not
        self._tasks: set[asyncio.Task[None]] = set()
        self._purchases = self._draw()
        self._decided: set[int] = set()
        self._decisions = itertools.cycle(("complete", "cancel", "fail", "cancel"))

    async def __aenter__(self) -> Self:
        self.scarce, *self._skus = await buyers.demo_catalogue(self._run, PLENTY)
        if len(self._skus) < buyers.MOST_PRODUCTS:
            raise StackError("too few products are on sale for a campaign; did the catalogue load?")
        buyers.stock(self._run.stack, {self.scarce: SCARCE})
        async with AsyncExitStack() as opened:
            self._client = await opened.enter_async_context(
                ShopClient(self._run.stack["SHOP_URL"], CONNECTIONS)
            )
            session = aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=10))
            self._session = await opened.enter_async_context(session)
            self._opened = opened.pop_all()
        self._bank = asyncio.create_task(self._confirm())
        return self

    async def __aexit__(self, *_: object) -> None:
        for task in (self._bank, *self._tasks):
            task.cancel()
        await asyncio.gather(self._bank, *self._tasks, return_exceptions=True)
        await self._opened.aclose()

    async def come(self, orders: int, seconds: float) -> None:
        """So many customers order, spread over so long; returns when the last has come, not been answered."""
        for _ in range(orders):
            task = asyncio.create_task(self._buy(*next(self._purchases)))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
            await asyncio.sleep(seconds / orders)

    async def served(self) -> None:
        """Returns when every customer has an answer, or has lost patience."""
        await asyncio.gather(*self._tasks)

    async def _buy(self, purchase: Purchase, cancels: bool) -> None:
        self.asked += 1
        answer = await self._client.buy(purchase)
        self.answers[answer.key] = answer
        if answer.accepted and cancels:
            await asyncio.sleep(self._dice.uniform(*CANCEL_AFTER))
            await self._cancel(answer.token)

    async def _cancel(self, token: str) -> bool:
        """Cancel, asking again when there is no answer; it may be too late, which is an answer. False without any."""
        url = f"{self._run.stack['SHOP_URL']}/api/orders/{token}/cancel/"
        for _ in range(CANCEL_TRIES):
            with suppress(aiohttp.ClientError, TimeoutError):
                async with self._session.post(url) as response:
                    if response.status < 500:
                        return True
            await asyncio.sleep(0.5)
        return False

    async def _confirm(self) -> None:
        """The card holders at their bank's page: of four one confirms, one fails to, two cancel the order. Who got no
        answer comes back, for an order that waits for its bank waits for nobody else."""
        while True:
            for order_id, token, url in await self._run.books.rows(_WAITING):
                if order_id not in self._decided:
                    with suppress(aiohttp.ClientError, TimeoutError):
                        if await self._decide(next(self._decisions), token, url):
                            self._decided.add(order_id)
            await asyncio.sleep(BANK_SECONDS)

    async def _decide(self, decision: str, token: str, url: str) -> bool:
        if decision == "cancel":
            return await self._cancel(token)
        async with self._session.post(url, data={"outcome": decision}, allow_redirects=False) as response:
            response.raise_for_status()
        return True

    def _draw(self) -> Iterator[tuple[Purchase, bool]]:
        for number in itertools.count():
            turn = number % len(_PAYMENTS)
            items = buyers.basket(self._dice, self._skus)
            if turn == _WANTS_SCARCE:
                items[self.scarce] = 1
            who = buyers.buyer(f"chaos-{number}")
            purchase = buyers.purchase(self._run.key(number), who, items, _PAYMENTS[turn])
            yield purchase, _PAYMENTS[turn] is _SLOW
