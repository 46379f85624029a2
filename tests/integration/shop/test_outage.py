"""While the database is away everybody gets an answer, soon and a clear one, and pressing again is safe."""

import logging
import re
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from html import unescape
from typing import Any
from uuid import uuid4

import pytest
from django.contrib.auth.models import User
from django.core.cache import cache
from django.db import OperationalError, close_old_connections, connection
from django.test import Client, RequestFactory
from django.urls import reverse

from orders.database import patience
from orders.models import Order
from shop.catalogue.models import Product
from shop.pages import errors
from stack.ports import Ports
from tests.freezing import frozen
from tests.integration.api.conftest import BODY, Api, problem
from tests.integration.shop.conftest import SHOPPER
from tests.making import at_once
from tests.servers import Servers

pytestmark = pytest.mark.django_db(transaction=True)

LIMIT = 0.5  # seconds that a statement may take in these tests
SOON = 5.0  # LIMIT, its grace and a new connection's timeout
Freeze = Callable[[], AbstractContextManager[None]]


@pytest.fixture
def freeze(servers: Servers, products: dict[str, Product]) -> Iterator[Freeze]:
    """`with freeze():` the database hangs. This process is as impatient as the web process is."""
    patience.limit(LIMIT)
    connection.close()
    connection.ensure_connection()
    yield lambda: frozen(servers.pid("postgres"))
    patience.limit(0)
    connection.close()


@pytest.fixture
def away(products: dict[str, Product]) -> Iterator[Callable[[bool], None]]:
    """`away(True)` and nobody listens where the database should be; `away(False)` and it is back."""
    there = connection.settings_dict["PORT"]

    def _away(is_away: bool) -> None:
        connection.close()
        cache.clear()
        connection.settings_dict["PORT"] = Ports.free().postgres if is_away else there

    yield _away
    _away(False)


def form_of(client: Client) -> dict[str, str]:
    page = client.get(reverse("checkout")).content.decode()
    ticket = re.search(r'name="ticket" value="([^"]+)"', page)
    assert ticket
    return {**SHOPPER, "ticket": unescape(ticket[1])}


class Timer:
    def __enter__(self) -> "Timer":
        self._began = time.monotonic()
        return self

    def __exit__(self, *_: object) -> None:
        self.seconds = time.monotonic() - self._began


def test_a_database_that_hangs_is_given_up_soon(freeze: Freeze, client: Client) -> None:
    cache.clear()
    with freeze(), Timer() as timer:
        response = client.get("/")
    assert response.status_code == 503
    assert int(response["Retry-After"]) > 0
    assert timer.seconds < SOON
    cache.clear()
    assert client.get("/").status_code == 200


def test_an_order_of_which_nobody_knows_is_placed_once(freeze: Freeze) -> None:
    """The statement had left us when the database hung; it carries it out when it goes on, and the answer is lost."""
    api, key = Api(), str(uuid4())
    api.get("/api/products/")
    with freeze(), Timer() as timer:
        problem(api.order(BODY, key), 503)
    assert timer.seconds < SOON
    answer = api.order(BODY, key)
    assert answer.status_code == 201
    assert api.order(BODY, key).content == answer.content
    assert Order.objects.count() == 1


def test_nobody_queues_at_a_closed_door(freeze: Freeze) -> None:
    """One request tries whether the database is back; all others are told to come again without waiting for it."""

    def ask(_: int) -> tuple[int, float]:
        connection.close()
        with Timer() as timer:
            status = Api().get("/api/products/").status_code
        return status, timer.seconds

    with freeze():
        Api().get("/api/products/")  # finds out
        answers = at_once_closed(ask, 8)
    assert [status for status, _ in answers] == [503] * 8
    assert sum(seconds > 1 for _, seconds in answers) == 1
    assert ask(0)[0] == 200


def at_once_closed(work: Callable[[int], Any], times: int) -> list[Any]:
    """As tests.making.at_once, in threads that have no connection yet."""
    found = at_once(work, times, connected=False)
    assert not [one for one in found if isinstance(one, Exception)], found
    return found


def test_a_connection_whose_server_hung_up_serves_no_request(products: dict[str, Product]) -> None:
    """What Django does before each request, which its test client leaves out."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_backend_pid()")
        (pid,) = cursor.fetchone()
    other = connection.copy()
    with other.cursor() as cursor:
        cursor.execute("SELECT pg_terminate_backend(%s, 5000)", [pid])
    other.close()
    close_old_connections()
    assert connection.connection is None
    connection.ensure_connection()
    close_old_connections()
    assert connection.connection is not None, "a good one is kept"


def test_a_checkout_is_held_ready_to_be_sent_again(
    client: Client, away: Callable[[bool], None], fill: Callable[..., None]
) -> None:
    fill(KETTLE=1)
    form = form_of(client) | {"name": 'Ada "the Countess" <Lovelace>'}
    cart = client.cookies["cart"].value
    away(True)
    response = client.post(reverse("checkout"), form)
    assert response.status_code == 503
    assert response["Retry-After"] == "5"
    assert response["Cache-Control"] == "no-store"
    assert "cart" not in response.cookies
    assert client.cookies["cart"].value == cart
    page = response.content.decode()
    assert "one checkout makes one order" in page
    assert "back.js" not in page, "a form is never sent by itself"
    held = {
        name: unescape(value)
        for name, value in re.findall(r'<input type="hidden" name="([^"]+)" value="([^"]*)">', page)
    }
    assert held == form

    away(False)
    first, second = (client.post(reverse("checkout"), held) for _ in range(2))
    assert first.status_code == second.status_code == 303
    assert Order.objects.get().name == form["name"]


def test_a_page_goes_on_by_itself(client: Client, away: Callable[[bool], None]) -> None:
    away(True)
    page = client.get("/search/?q=mug").content.decode()
    assert "shop/back.js" in page
    assert 'href="/search/?q=mug"' in page


def test_htmx_is_told_too(client: Client, away: Callable[[bool], None]) -> None:
    away(True)
    response = client.get("/search/?q=mug", headers={"HX-Request": "true"})
    assert (response.status_code, response["Retry-After"]) == (503, "5")
    assert "<html" not in response.content.decode()


def test_the_desk_is_told_and_repeats_no_password(client: Client, away: Callable[[bool], None]) -> None:
    User.objects.create_superuser("desk", password="a-secret-of-the-desk")
    client.force_login(User.objects.get())
    away(True)
    client.raise_request_exception = False
    assert client.get("/admin/orders/order/").status_code == 503
    response = client.post("/admin/login/", {"username": "desk", "password": "a-secret-of-the-desk"})
    assert response.status_code == 503
    assert "a-secret-of-the-desk" not in response.content.decode()


def test_a_session_that_cannot_be_written_is_no_mistake_of_ours(rf: RequestFactory) -> None:
    """The view had answered when the database went: Django calls its handler for errors, and tells it nothing."""
    for error, status in ((OperationalError("gone"), 503), (ValueError("a bug"), 500)):
        try:
            raise error
        except type(error):
            assert errors.server_error(rf.get("/admin/")).status_code == status


def test_the_process_lives_and_cannot_serve(client: Client, away: Callable[[bool], None]) -> None:
    away(True)
    assert client.get("/livez").json() == {"ok": True}
    response = client.get("/healthz")
    assert (response.status_code, response["Retry-After"]) == (503, "5")
    away(False)
    assert client.get("/healthz").status_code == 200


@pytest.mark.parametrize("path", ["/", "/api/products/", "/admin/"])
def test_the_log_gets_one_line(
    client: Client, away: Callable[[bool], None], caplog: pytest.LogCaptureFixture, path: str
) -> None:
    """A crowd that is told to come again is many; a traceback for each would fill the disk."""
    if path == "/admin/":
        client.force_login(User.objects.create_superuser("desk"))
    away(True)
    caplog.clear()
    assert client.get(path).status_code == 503
    [line] = [record for record in caplog.records if record.levelno >= logging.WARNING]
    assert line.exc_info is None
    assert f"GET {path} was answered 503" in line.getMessage()
    assert "\n" not in line.getMessage()
