"""The load generator: virtual buyers place orders over HTTP, in a closed loop (each orders again when its last order
is answered) or an open one.

In an open loop orders come at their times whether or not the shop keeps up. Each answer's time is counted from the
moment the order was due, so a slow shop cannot slow its own measurement down ("coordinated omission").

A buyer who gets no answer, or one that says "later", asks again with the same Idempotency-Key, as a well-behaved
client does. The time of the answer includes all of that.
"""

import asyncio
import random
import re
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any, Self

import aiohttp
import orjson

PATIENCE = 60.0  # seconds after which a buyer without an answer gives up
CALL_SECONDS = 30.0
_SILENCE = 0  # in the place of a status, when no answer came
_LATER = frozenset({_SILENCE, 409, 425, 429, 502, 503, 504})
_INDEX = re.compile(r"\b[0-9][0-9,]*\b")

NO_ANSWER = "no_answer"


@dataclass(frozen=True, slots=True)
class Purchase:
    """One order to be: its idempotency key and the body of its POST."""

    key: str
    body: bytes


@dataclass(frozen=True, slots=True)
class Answer:
    """What became of it: the order's number and token, or "" and the reason why not. `ms` from when it was due."""

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


class ShopClient:
    """An HTTP client that keeps its connections open; used within `async with`."""

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

    async def __aexit__(self, *_: object) -> None:
        await self._session.close()

    async def buy(self, purchase: Purchase, wanted_at: float | None = None) -> Answer:
        """Place it, asking again for as long as patience lasts. `wanted_at` on the monotonic clock; None: now."""
        began = time.monotonic() if wanted_at is None else wanted_at
        tries = 0
        while True:
            tries += 1
            status, answer, retry_after = await self._post(purchase)
            ms = 1000 * (time.monotonic() - began)
            if status == 201:
                return Answer(purchase.key, answer["number"], "", ms, tries, answer.get("token", ""))
            wait = max(retry_after, random.uniform(0, min(1.0, 0.05 * 2 ** min(tries, 10))))
            if status not in _LATER or ms / 1000 + wait > PATIENCE:
                return Answer(purchase.key, "", reason_of(status, answer), ms, tries)
            await asyncio.sleep(wait)

    async def _post(self, purchase: Purchase) -> tuple[int, Any, float]:
        """(status, decoded answer, seconds that it asks to wait)."""
        headers = {"Idempotency-Key": purchase.key}
        try:
            async with self._session.post(self._url, data=purchase.body, headers=headers) as response:
                raw = await response.read()
        except (aiohttp.ClientError, TimeoutError):
            return _SILENCE, None, 0.0
        later = response.headers.get("Retry-After", "")
        return response.status, _decoded(raw), float(later) if later.isdigit() else 0.0


async def place(
    shop_url: str,
    purchases: Iterable[Purchase],
    connections: int,
    on_answer: OnAnswer,
    *,
    per_second: float = 0.0,
) -> None:
    """Place them all: so many a second, or as fast as a buyer for each connection can."""
    async with ShopClient(shop_url, connections) as client:
        if per_second:
            await open_loop(client, purchases, per_second, on_answer)
        else:
            await closed_loop(client, purchases, connections, on_answer)


async def closed_loop(
    client: ShopClient, purchases: Iterable[Purchase], buyers: int, on_answer: OnAnswer
) -> None:
    """So many buyers, each placing the next order when its last is answered, until there are no more."""
    waiting: Iterator[Purchase] = iter(purchases)

    async def buyer() -> None:
        for purchase in waiting:
            on_answer(await client.buy(purchase))

    async with asyncio.TaskGroup() as group:
        for _ in range(buyers):
            group.create_task(buyer())


def due_at(begin: float, per_second: float, index: int) -> float:
    """When the order with this index is due; computed from the beginning, so that no error adds up."""
    return begin + index / per_second


async def open_loop(
    client: ShopClient, purchases: Iterable[Purchase], per_second: float, on_answer: OnAnswer
) -> None:
    """So many orders a second, each at its time, however long the answers take."""
    begin = time.monotonic() + 0.05

    async def one(purchase: Purchase, wanted_at: float) -> None:
        on_answer(await client.buy(purchase, wanted_at))

    async with asyncio.TaskGroup() as group:
        for index, purchase in enumerate(purchases):
            wanted_at = due_at(begin, per_second, index)
            if (wait := wanted_at - time.monotonic()) > 0:
                await asyncio.sleep(wait)
            group.create_task(one(purchase, wanted_at))


def reason_of(status: int, answer: Any) -> str:
    """A refusal as one short reason, the same for equal ones: the problem's name and its first wrong field."""
    if status == _SILENCE:
        return NO_ANSWER
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
