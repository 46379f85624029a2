"""The customers of a campaign: every way an order can go, so that every step of the workflow has work.

They pay by card or at the door, are declined, want what is sold out, cancel while their card is being charged, and
confirm with their bank, or do not, or cancel then. Like any well-behaved client they ask again when they get no answer,
with the same key.
"""

import asyncio
import itertools
import random
from collections.abc import Iterator
from contextlib import suppress
from types import TracebackType
from typing import Any, LiteralString, Self

import aiohttp
import orjson

from bench import shoppers
from bench.load import Answer, Customers, Purchase
from bench.people import buyer
from bench.run import Run
from stack.program import StackError

PLENTY = 10_000_000
SCARCE = 5  # pieces there are of what everybody cannot have
CUSTOMERS = 64
BANK_SECONDS = 0.3  # between looks at who waits for a bank's confirmation
CANCEL_AFTER = (0.0, 2.0)  # seconds; charging a slow card takes two, so that most cancel while it is charged
CANCEL_TRIES = 5

_WAITING: LiteralString = """
SELECT o.id, o.token, p.action_url FROM orders_order o JOIN orders_payment p ON p.order_id = o.id
WHERE o.status = 'awaiting_payment' AND p.action_url <> '' AND o.idempotency_key LIKE %(keys)s ORDER BY o.id
"""


def _card(token: str) -> dict[str, str]:
    return {"method": "card", "token": token}


_VISA, _SLOW = _card("pm_card_visa"), _card("pm_sandbox_slow")
_BANK, _DECLINED = _card("pm_card_threeDSecure2Required"), _card("pm_card_chargeDeclined")
_FLAKY, _AT_THE_DOOR = _card("pm_sandbox_flaky"), {"method": "cod"}
# (payment, whether it wants what is sold out, whether it is cancelled at once); each dozen holds each once.
_WAYS: tuple[tuple[dict[str, str], bool, bool], ...] = (
    (_VISA, False, False),
    (_SLOW, False, True),
    (_VISA, False, False),
    (_BANK, False, False),
    (_VISA, False, False),
    (_VISA, True, False),
    (_AT_THE_DOOR, False, False),
    (_DECLINED, False, False),
    (_VISA, False, False),
    (_BANK, False, False),
    (_VISA, False, False),
    (_FLAKY, False, False),
)


class Crowd:
    """Places orders and follows them up; `answers` is what it was told, by idempotency key."""

    def __init__(self, run: Run, seed: int) -> None:
        self._run, self._dice = run, random.Random(seed)
        self.answers: dict[str, Answer] = {}
        self.asked = 0  # orders asked for, answered or not
        self._tasks: set[asyncio.Task[None]] = set()
        self._purchases = self._draw()
        self._decided: set[int] = set()
        self._decisions = itertools.cycle(("complete", "cancel", "fail", "cancel"))

    async def __aenter__(self) -> Self:
        skus = await self._run.books.on_sale(shoppers.demo_skus())
        if len(skus) < 4:
            raise StackError("the house has too few products on sale for a campaign; did its catalogue load?")
        self.scarce, *self._skus = skus
        levels = {**dict.fromkeys(self._skus, PLENTY), self.scarce: SCARCE}
        await asyncio.to_thread(shoppers.stock, self._run.house, levels)
        self._customers = await Customers(self._run.house["SHOP_URL"], CUSTOMERS).__aenter__()
        self._session = aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=10))
        self._bank = asyncio.create_task(self._confirm())
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for task in (self._bank, *self._tasks):
            task.cancel()
        await asyncio.gather(self._bank, *self._tasks, return_exceptions=True)
        await self._session.close()
        await self._customers.__aexit__(kind, error, trace)

    async def come(self, orders: int, seconds: float) -> None:
        """So many customers want something, spread over so long; returns when the last has come, not been served."""
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
        answer = await self._customers.buy(purchase)
        self.answers[answer.key] = answer
        if answer.accepted and cancels:
            await asyncio.sleep(self._dice.uniform(*CANCEL_AFTER))
            await self._cancel(answer.token)

    async def _cancel(self, token: str) -> bool:
        """Cancel, asking again when there is no answer; it may be too late, which is an answer. False without any."""
        for _ in range(CANCEL_TRIES):
            with suppress(aiohttp.ClientError, TimeoutError):
                async with self._session.post(
                    f"{self._run.house['SHOP_URL']}/api/orders/{token}/cancel/"
                ) as response:
                    if response.status < 500:
                        return True
            await asyncio.sleep(0.5)
        return False

    async def _confirm(self) -> None:
        """The card holders at their bank's page: of four one confirms, one fails to, two cancel the order. Who got no
        answer comes back, for an order that waits for its bank waits for nobody else."""
        while True:
            for order_id, token, url in await self._run.books.rows(_WAITING):
                if order_id in self._decided:
                    continue
                with suppress(aiohttp.ClientError, TimeoutError):
                    decision = next(self._decisions)
                    if decision == "cancel":
                        if not await self._cancel(token):
                            continue
                    else:
                        outcome = {"outcome": decision}
                        async with self._session.post(url, data=outcome, allow_redirects=False) as response:
                            response.raise_for_status()
                    self._decided.add(order_id)
            await asyncio.sleep(BANK_SECONDS)

    def _draw(self) -> Iterator[tuple[Purchase, bool]]:
        dice = self._dice
        for number, (payment, scarce, cancels) in enumerate(itertools.cycle(_WAYS)):
            chosen = dice.sample(self._skus, dice.randint(1, shoppers.MOST_PRODUCTS))
            items: list[dict[str, Any]] = [
                {"sku": sku, "quantity": dice.randint(1, shoppers.MOST_PIECES)} for sku in chosen
            ]
            if scarce:
                items.append({"sku": self.scarce, "quantity": 1})
            body = {**buyer(f"chaos-{number}"), "items": items, "payment": payment}
            yield Purchase(self._run.key(number), orjson.dumps(body)), cancels
