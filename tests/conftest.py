"""The whole stack, running: what tests drive through a browser or over HTTP, as a stranger would."""

import json
import subprocess
import sys
import urllib.error
import urllib.request
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
import psycopg
import pytest
import redis
from django.conf import settings as django_settings
from django.test import TransactionTestCase, override_settings
from pytest_django import Settings

from stack import leftovers, life
from stack.children import Children
from stack.environment import Stack
from stack.layout import ROOT, Layout
from stack.supervisor import Supervisor
from tests.emptying import empty_all
from tests.lanes import free_base, the_stack
from tests.waiting import wait_for


@dataclass(frozen=True)
class RunningStack:
    """A running stack with its addresses, its database and its process manager."""

    stack: Stack

    @property
    def shop_url(self) -> str:
        return self.stack.url("shop")

    @property
    def mailbox_url(self) -> str:
        return self.stack.url("mailbox")

    @property
    def broker_url(self) -> str:
        return self.stack.valkey.url

    def sql(self, statement: str, *params: Any) -> list[tuple[Any, ...]]:
        """One statement against the stack's database."""
        with psycopg.connect(self.stack.postgres.url, autocommit=True) as connection:
            cursor = connection.execute(statement, params)
            return cursor.fetchall() if cursor.description else []

    def stop(self, name: str) -> None:
        """Stop one process of the stack, by the name that `./dev status` shows."""
        self.supervisor().stop(name)

    def start(self, name: str, *, wait: bool = True) -> None:
        """Start it again; with `wait`, return when it is healthy."""
        self.supervisor().start(name, wait=wait)

    @contextmanager
    def without(self, name: str) -> Iterator[None]:
        """The stack while one of its processes is away."""
        self.stop(name)
        try:
            yield
        finally:
            self.start(name)

    @contextmanager
    def told(self, name: str, **environment: str) -> Iterator[None]:
        """The stack while one of its processes runs with other settings; the process manager does not know it."""
        given = {**self.stack.environment(), **environment}
        other = Children([self.supervisor().programs[name]], self.stack.layout.logs, given)
        with self.without(name):
            other.start(name)
            try:
                yield
            finally:
                other.stop(name)

    def pid(self, name: str) -> int:
        """The process of this name; 0 while it does not run."""
        return self.supervisor().pid(name)

    def processes(self) -> dict[str, set[tuple[int, float]]]:
        """Every process of the stack and its children by the program's name: (pid, when it was started)."""
        running = {name: psutil.Process(pid) for name, pid in self.supervisor().pids().items()}
        return {
            name: {(one.pid, one.create_time()) for one in (process, *process.children(recursive=True))}
            for name, process in running.items()
        }

    def audit(self) -> None:
        """The books are clean, or the test fails with what is wrong."""
        done = subprocess.run(
            [sys.executable, "manage.py", "audit"],
            cwd=ROOT,
            env=self.stack.environment(),
            capture_output=True,
            text=True,
        )
        assert done.returncode == 0, done.stdout + done.stderr

    def ledger(self, provider: str, order: str) -> list[dict[str, Any]]:
        """What a provider did for an order, by its number."""
        entries: list[dict[str, Any]] = []
        after = 0
        while True:
            page = get(f"{self.stack.url(provider)}/ledger?after={after}&limit=5000")
            if not page["entries"]:
                return [entry for entry in entries if entry["order"] == order]
            entries += page["entries"]
            after = page["next"]

    def place(self, **changes: Any) -> dict[str, Any]:
        """Place an order over the API; returns the answer, with "status_code" and what was sent."""
        return post(f"{self.shop_url}/api/orders/", order_body(**changes), key=str(uuid.uuid4()))

    def order(self, token: str) -> dict[str, Any]:
        found: dict[str, Any] = get(f"{self.shop_url}/api/orders/{token}/")
        return found

    def ended(self, token: str, *states: str) -> dict[str, Any]:
        """Wait until the order is in one of these states and nothing is left to do for it."""
        return wait_for(
            lambda: (
                order
                if (order := self.order(token))["status"] in states and order["ended_at"] is not None
                else None
            ),
            f"order {token} to be {' or '.join(states)}",
            each=0.1,  # each is a request and work for the web
        )

    def supervisor(self) -> Supervisor:
        return Supervisor.of(self.stack.layout)


@pytest.fixture(scope="session", autouse=True)
def _quick() -> Iterator[None]:
    """What takes long and proves nothing: passwords hashed a million times, empty tables emptied."""
    hashers = ["django.contrib.auth.hashers.MD5PasswordHasher"]
    with override_settings(PASSWORD_HASHERS=hashers), pytest.MonkeyPatch.context() as patch:
        patch.setattr(TransactionTestCase, "_fixture_teardown", empty_all)
        yield


@pytest.fixture(autouse=True)
def _real_mail(settings: Settings) -> None:
    """Django keeps e-mails in memory while tests run; ours go to the sandbox's mailbox."""
    settings.EMAIL_BACKEND = "orders.notifications.pipelining.PipeliningBackend"


@pytest.fixture
def broker() -> Iterator[redis.Redis]:
    """The broker of this run, empty but for the mark that it remembers."""
    client = redis.Redis.from_url(django_settings.BROKER_URL)
    client.flushall()
    client.set("stampede:remembers", "1")
    yield client
    client.flushall()
    client.close()


@pytest.fixture(scope="session")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningStack]:
    """One whole stack for all tests that need it, in a folder and on ports of its own.

    They stand in tests/lanes.py and follow each other; when the last has ended, the stack is taken down.
    """
    with the_stack:
        yield the_stack.enter_context(running_stack(tmp_path_factory.mktemp("stack")))


@contextmanager
def running_stack(folder: Path) -> Iterator[RunningStack]:
    """Start a whole stack in this folder, and stop it at the end."""
    port = free_base()
    starting = subprocess.run(
        [sys.executable, "-m", "tests.keeping", "up", str(folder), str(port)], capture_output=True, text=True
    )
    made = Stack.at(Layout(folder), port)
    try:
        if starting.returncode:
            pytest.fail(f"The stack did not start:\n{starting.stdout}{starting.stderr}")
        yield RunningStack(made)
    finally:
        life.down(made.layout)
    left = [one.name() for one in leftovers.find(made.layout)]
    assert not left, f"the stack was stopped, and there are still {left}"


def order_body(
    sku: str = "KI-1010", quantity: int = 1, card: str | None = "pm_card_visa", **more: Any
) -> dict[str, Any]:
    """A body of POST /api/orders/; `card` None is cash on delivery."""
    return {
        "email": "ada@example.com",
        "phone": "+442079460958",
        "items": [{"sku": sku, "quantity": quantity}],
        "shipping_address": {
            "name": "Ada Lovelace",
            "line1": "12 St James's Square",
            "line2": "",
            "city": "London",
            "postcode": "SW1Y 4JH",
            "country": "GB",
        },
        "payment": {"method": "card", "token": card} if card else {"method": "cod"},
        **more,
    }


def get(url: str) -> Any:
    with urllib.request.urlopen(url, timeout=30) as answer:  # noqa: S310 (our own URLs)
        return json.load(answer)


def post(url: str, body: Any, *, key: str = "") -> dict[str, Any]:
    """POST JSON; an answer that is an error is an answer."""
    headers = {"Content-Type": "application/json", **({"Idempotency-Key": key} if key else {})}
    request = urllib.request.Request(url, json.dumps(body).encode(), headers)  # noqa: S310 (our own URLs)
    try:
        with urllib.request.urlopen(request, timeout=30) as answer:  # noqa: S310
            return {**json.load(answer), "status_code": answer.status}
    except urllib.error.HTTPError as error:
        with error:
            return {**json.load(error), "status_code": error.code}
