"""The customers: they place orders over HTTP, in a closed loop (who has an answer orders again) or an open
one.

In an open loop orders come at their times whether or not the shop keeps up, and each answer's time is counted
from the moment the order was due, so that a slow shop cannot slow its own measurement down ("coordinated
omission").

A customer who gets no answer, or one that says "later", asks again with the same Idempotency-Key, as any
well-behaved client does; the time of the answer then includes all of that.
"""

import asyncio
import random
import re
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self

import aiohttp
import orjson

PATIENCE = 60.0  # seconds after which a customer without an answer gives up
CALL_SECONDS = 30.0
_LATER = frozenset({409, 425, 429, 502, 503, 504})
_INDEX = re.compile(r"\b[0-9][0-9,]*\b")

NO_ANSWER = "no_answer"


@dataclass(frozen=True, slots=True)
class Purchase:
    """One order to be: its idempotency key and the body of its POST."""

    key: str
    body: bytes


@dataclass(frozen=True, slots=True)
class Answer:
    """What became of it: the order's number and token, or "" and the reason why not. `ms` from when the customer
    wanted it.
    """

    key: str
    number: str
    reason: str
    ms: float
    tries: int
    token: str = ""

    @property
    def accepted(self) -> bool:
        return bool(self.number)


OnAnswer = Callable[[Answer], None]


class Customers:
    """An HTTP client with kept connections, used within `async with`."""

    def __init__(self, shop_url: str, connections: int) -> None:
        self._url = f"{shop_url}/api/orders/"
        self._connections = connections

    async def __aenter__(self) -> Self:
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=self._connections, keepalive_timeout=30),
            timeout=aiohttp.ClientTimeout(total=CALL_SECONDS),
            headers={"Content-Type": "application/json", "Accept": "application/json"},
        )
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._session.close()

    async def buy(self, purchase: Purchase, wanted_at: float | None = None) -> Answer:
        """Place it, asking again for as long as patience lasts. `wanted_at` on the monotonic clock; now if
        None.
        """
        began = time.monotonic() if wanted_at is None else wanted_at
        tries, reason = 0, NO_ANSWER
        while True:
            tries += 1
            retry_after = 0.0
            try:
                status, answer, retry_after = await self._post(purchase)
            except (aiohttp.ClientError, TimeoutError):
                reason = NO_ANSWER
            else:
                if status == 201:
                    return Answer(
                        purchase.key, answer["number"], "", _ms_since(began), tries, answer.get("token", "")
                    )
                reason = reason_of(status, answer)
                if status not in _LATER:
                    return Answer(purchase.key, "", reason, _ms_since(began), tries)
            wait = max(retry_after, random.uniform(0, min(1.0, 0.05 * 2 ** min(tries, 10))))
            if time.monotonic() + wait - began > PATIENCE:
                return Answer(purchase.key, "", reason, _ms_since(began), tries)
            await asyncio.sleep(wait)

    async def _post(self, purchase: Purchase) -> tuple[int, Any, float]:
        """(status, decoded answer, seconds that it asks to wait)."""
        headers = {"Idempotency-Key": purchase.key}
        async with self._session.post(self._url, data=purchase.body, headers=headers) as response:
            raw = await response.read()
            later = response.headers.get("Retry-After", "")
            return response.status, _decoded(raw), float(later) if later.isdigit() else 0.0


async def closed_loop(
    customers: Customers, purchases: Iterable[Purchase], buyers: int, on_answer: OnAnswer
) -> None:
    """So many buyers, each placing the next order as its last was answered, until there are no more."""
    waiting: Iterator[Purchase] = iter(purchases)

    async def buyer() -> None:
        for purchase in waiting:
            on_answer(await customers.buy(purchase))

    async with asyncio.TaskGroup() as group:
        for _ in range(buyers):
            group.create_task(buyer())


def due_at(begin: float, per_second: float, index: int) -> float:
    """When the order with this index is due; computed from the beginning, so that no error adds up."""
    return begin + index / per_second


async def open_loop(
    customers: Customers, purchases: Iterable[Purchase], per_second: float, on_answer: OnAnswer
) -> None:
    """So many orders a second, each at its time, however long the answers take."""
    begin = time.monotonic() + 0.05

    async def one(purchase: Purchase, wanted_at: float) -> None:
        on_answer(await customers.buy(purchase, wanted_at))

    async with asyncio.TaskGroup() as group:
        for index, purchase in enumerate(purchases):
            wanted_at = due_at(begin, per_second, index)
            if (wait := wanted_at - time.monotonic()) > 0:
                await asyncio.sleep(wait)
            group.create_task(one(purchase, wanted_at))


def reason_of(status: int, answer: Any) -> str:
    """A refusal as one short reason, the same for equal ones: the problem's name and its first wrong field."""
    if not isinstance(answer, dict):
        return f"http_{status}"
    name = str(answer.get("type", "")).rstrip("/").rpartition("/")[2]
    reason = name if name and name != "about:blank" else f"http_{status}"
    errors = answer.get("errors")
    if isinstance(errors, dict) and errors:
        # A problem of one item stands beside one of the whole only where the item's says more.
        path, sentences = next(iter(errors.items()))
        field = ".".join("*" if part.isdigit() else part for part in path.split("."))
        sentence = _INDEX.sub("N", sentences[0]) if sentences else ""
        return f"{reason}: {field}: {sentence}"
    return reason


def _decoded(raw: bytes) -> Any:
    try:
        return orjson.loads(raw)
    except orjson.JSONDecodeError:
        return None


def _ms_since(began: float) -> float:
    return 1000 * (time.monotonic() - began)
