"""The customers, against a small shop of the test's own that answers as it is told."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from bench.load import Answer, Purchase, ShopClient, closed_loop, due_at, open_loop, reason_of

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


@asynccontextmanager
async def shop(handler: Handler, connections: int = 100) -> AsyncIterator[ShopClient]:
    app = web.Application()
    app.router.add_post("/api/orders/", handler)
    async with (
        TestServer(app) as server,
        ShopClient(f"http://{server.host}:{server.port}", connections) as customers,
    ):
        yield customers


def accepted(request: web.Request) -> web.Response:
    return web.json_response({"number": f"S-{request.headers['Idempotency-Key']}"}, status=201)


def purchases(count: int) -> list[Purchase]:
    return [Purchase(str(number), b"{}") for number in range(count)]


def test_orders_are_due_at_even_steps_from_the_beginning() -> None:
    assert [due_at(100.0, 400, index) for index in (0, 1, 400)] == [100.0, 100.0025, 101.0]


def test_a_late_answer_in_an_open_loop_is_counted_from_when_the_order_was_due() -> None:
    """A shop that serves one at a time for 50 ms gets 10 orders at once: the last one waited for all of them."""

    async def measure() -> list[Answer]:
        one_at_a_time = asyncio.Lock()

        async def handler(request: web.Request) -> web.Response:
            async with one_at_a_time:
                await asyncio.sleep(0.05)
            return accepted(request)

        answers: list[Answer] = []
        async with shop(handler) as customers:
            await open_loop(customers, purchases(10), 1_000, answers.append)
        return answers

    times = sorted(answer.ms for answer in asyncio.run(measure()))
    assert times[-1] >= 10 * 50 - 10 / 1_000 * 1_000
    assert times[0] >= 50


def test_an_open_loop_does_not_wait_for_answers() -> None:
    """Nobody is answered before all have come; a closed loop of fewer customers would wait for ever."""

    async def measure() -> int:
        everybody_is_here = asyncio.Event()
        here: set[str] = set()

        async def handler(request: web.Request) -> web.Response:
            here.add(request.headers["Idempotency-Key"])
            if len(here) == 20:
                everybody_is_here.set()
            await everybody_is_here.wait()
            return accepted(request)

        answers: list[Answer] = []
        async with shop(handler) as customers:
            await open_loop(customers, purchases(20), 1_000, answers.append)
        return sum(answer.accepted for answer in answers)

    assert asyncio.run(measure()) == 20


def test_a_closed_loop_has_as_many_under_way_as_there_are_buyers() -> None:
    async def measure() -> tuple[int, int]:
        under_way = most = 0

        async def handler(request: web.Request) -> web.Response:
            nonlocal under_way, most
            under_way += 1
            most = max(most, under_way)
            await asyncio.sleep(0.005)
            under_way -= 1
            return accepted(request)

        answers: list[Answer] = []
        async with shop(handler) as customers:
            await closed_loop(customers, purchases(40), 4, answers.append)
        return most, len({answer.key for answer in answers})

    assert asyncio.run(measure()) == (4, 40)


@pytest.mark.parametrize("status", [409, 429, 502, 503, 504])
def test_who_is_told_to_come_later_comes_again_with_the_same_key(status: int) -> None:
    async def measure() -> tuple[Answer, Counter[str]]:
        keys: Counter[str] = Counter()

        async def handler(request: web.Request) -> web.Response:
            keys[request.headers["Idempotency-Key"]] += 1
            return accepted(request) if keys.total() == 3 else web.json_response({}, status=status)

        async with shop(handler) as customers:
            return await customers.buy(Purchase("only", b"{}")), keys

    answer, keys = asyncio.run(measure())
    assert (answer.number, answer.tries) == ("S-only", 3)
    assert keys == {"only": 3}


def test_who_is_cut_off_comes_again() -> None:
    async def measure() -> Answer:
        tries = 0

        async def handler(request: web.Request) -> web.Response:
            nonlocal tries
            tries += 1
            if tries == 1 and request.transport:
                request.transport.close()
            return accepted(request)

        async with shop(handler) as customers:
            return await customers.buy(Purchase("only", b"{}"))

    answer = asyncio.run(measure())
    assert answer.accepted
    assert answer.tries == 2


def test_who_is_refused_does_not_come_again() -> None:
    async def measure() -> Answer:
        async def handler(_: web.Request) -> web.Response:
            return web.json_response(
                {"type": "https://shop.example/api/problems/invalid-request/"}, status=400
            )

        async with shop(handler) as customers:
            return await customers.buy(Purchase("only", b"{}"))

    answer = asyncio.run(measure())
    assert (answer.accepted, answer.reason, answer.tries) == (False, "invalid-request", 1)


@pytest.mark.parametrize(
    ("status", "problem", "reason"),
    [
        (500, None, "http_500"),
        (500, {"type": "about:blank"}, "http_500"),
        (422, {"type": "http://x/api/problems/idempotency-key-reused/"}, "idempotency-key-reused"),
        (
            400,
            {"type": "http://x/invalid-request/", "errors": {"items.17.sku": ["There is no such product."]}},
            "invalid-request: items.*.sku: There is no such product.",
        ),
        (
            400,
            {
                "type": "http://x/invalid-request/",
                "errors": {"items": ["Up to 1,000 items; these are 1,024."]},
            },
            "invalid-request: items: Up to N items; these are N.",
        ),
    ],
)
def test_equal_refusals_have_one_reason(status: int, problem: Any, reason: str) -> None:
    assert reason_of(status, problem) == reason
