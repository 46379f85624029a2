"""A crowd that goes on ordering whatever happens to the stack, and remembers what it was answered."""

import http.client
import json
import threading
import time
import uuid
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

from tests.conftest import RunningStack, order_body
from tests.waiting import wait_for

SHOPPERS = 6


@dataclass(frozen=True)
class Answer:
    status: int
    headers: http.client.HTTPMessage
    body: dict[str, Any]
    seconds: float
    key: str


@dataclass
class Crowd:
    running: RunningStack
    answers: list[Answer] = field(default_factory=list)
    broken: list[Exception] = field(default_factory=list)

    def placed(self) -> list[Answer]:
        return [answer for answer in self.answers if answer.status == 201]

    def refused(self) -> list[Answer]:
        return [answer for answer in self.answers if answer.status != 201]

    def until_placed(self, more: int) -> None:
        """Wait until so many more orders were accepted."""
        wanted = len(self.placed()) + more
        wait_for(lambda: len(self.placed()) >= wanted or None, f"{more} more orders to be accepted")

    def until_refused(self, more: int) -> None:
        wanted = len(self.refused()) + more
        wait_for(lambda: len(self.refused()) >= wanted or None, f"{more} more orders to be refused")


@contextmanager
def crowd(running: RunningStack) -> Iterator[Crowd]:
    """Some shoppers who each order one thing after the other; a refused order is sent again with its key."""
    crowd, stop = Crowd(running), threading.Event()

    def shop() -> None:
        key = str(uuid.uuid4())
        try:
            while not stop.is_set():
                answer = place(running, key)
                crowd.answers.append(answer)
                if answer.status == 201:
                    key = str(uuid.uuid4())
                else:
                    stop.wait(0.05)
        except Exception as error:
            crowd.broken.append(error)

    shoppers = [threading.Thread(target=shop) for _ in range(SHOPPERS)]
    for shopper in shoppers:
        shopper.start()
    try:
        yield crowd
    finally:
        stop.set()
        for shopper in shoppers:
            shopper.join()
    assert not crowd.broken, crowd.broken


def place(running: RunningStack, key: str, **changes: Any) -> Answer:
    """POST an order; whatever comes back is an answer."""
    began = time.monotonic()
    connection = http.client.HTTPConnection(urlsplit(running.shop_url).netloc, timeout=60)
    try:
        connection.request(
            "POST",
            "/api/orders/",
            json.dumps(order_body(**changes)),
            {"Content-Type": "application/json", "Idempotency-Key": key, "Connection": "close"},
        )
        answer = connection.getresponse()
        body: dict[str, Any] = json.loads(answer.read())
    finally:
        connection.close()
    return Answer(answer.status, answer.headers, body, time.monotonic() - began, key)


def all_complete(running: RunningStack, answers: list[Answer], seconds: float = 60) -> None:
    """Wait until every order of these is completed, as the database has it."""
    tokens = [answer.body["token"] for answer in answers]

    def look() -> bool | None:
        [(there, done)] = running.sql(
            "SELECT count(*), count(*) FILTER (WHERE status = 'completed' AND ended_at IS NOT NULL)"
            " FROM orders_order WHERE token = ANY(%s)",
            tokens,
        )
        assert there == len(set(tokens)), "an order that was answered 201 is not there"
        return done == there or None

    wait_for(look, f"{len(tokens)} orders to be completed", seconds)


def restarted(before: dict[str, set[tuple[int, float]]], running: RunningStack) -> set[str]:
    """Programs of which a process has ended since; PostgreSQL's sessions come and go, its first process does not."""
    now = running.processes()
    # By when they were started: process numbers begin anew, and then the first has not the lowest.
    kept = {
        name: {min(found, key=lambda one: one[1])} if name == "postgres" else found
        for name, found in before.items()
    }
    return {name for name, processes in kept.items() if not processes <= now.get(name, set())}


def page(running: RunningStack, path: str) -> tuple[int, str]:
    with closing(http.client.HTTPConnection(urlsplit(running.shop_url).netloc, timeout=60)) as connection:
        connection.request("GET", path)
        answer = connection.getresponse()
        return answer.status, answer.read().decode()
