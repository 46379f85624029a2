"""One Idempotency-Key, one order: repeats, other bodies, and many at once."""

import json
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import psycopg
import pytest
from django.db import connection
from django.http import HttpResponse

from orders.models import Order, Payment
from shop.catalogue.models import Product
from tests.integration.api.conftest import Api, problem, stock_shop
from tests.making import at_once


@pytest.mark.usefixtures("shop")
class TestRepeats:
    def test_the_same_request_gets_the_same_answer(self, api: Api, body: dict[str, Any]) -> None:
        first, again = api.order(body, key="one"), api.order(body, key="one")

        assert (first.status_code, first.content) == (again.status_code, again.content)
        assert first["Location"] == again["Location"]
        assert "Idempotent-Replayed" not in first
        assert again["Idempotent-Replayed"] == "true"
        assert Order.objects.count() == Payment.objects.count() == 1

    def test_how_the_json_is_written_makes_no_difference(self, api: Api, body: dict[str, Any]) -> None:
        first = api.order(body, key="one")
        data = json.dumps(dict(reversed(body.items())), indent=4).encode()
        again = api.raw("POST", "/api/orders/", data, "application/json", **{"Idempotency-Key": "one"})
        assert again.content == first.content

    def test_the_answer_stays_the_same_when_the_catalogue_moves_on(
        self, api: Api, body: dict[str, Any]
    ) -> None:
        first = api.order(body, key="one")
        Product.objects.update(price_minor=1)
        assert api.order(body, key="one").content == first.content
        Product.objects.update(active=False)
        again = api.order(body, key="one")
        assert again.content == first.content
        assert again["Idempotent-Replayed"] == "true"
        problem(api.order(body, key="two"), 400)

    @pytest.mark.parametrize("on_sale", [True, False])
    def test_another_body_under_the_same_key_is_refused(
        self, api: Api, body: dict[str, Any], on_sale: bool
    ) -> None:
        token = json.loads(api.order(body, key="one").content)["token"]
        Product.objects.update(active=on_sale)
        body["items"][0]["quantity"] = 2

        refused = api.order(body, key="one")

        found = problem(refused, 422)
        assert found["type"].endswith("/api/problems/idempotency-key-reused/")
        assert list(found["errors"]) == ["Idempotency-Key"]
        # Whoever guesses a key learns nothing of the order that it placed.
        assert token not in refused.content.decode()
        assert Order.objects.count() == 1

    def test_what_is_only_written_otherwise_is_the_same_request(self, api: Api, body: dict[str, Any]) -> None:
        first = api.order(body, key="one")
        body["phone"] = body["phone"].replace(" ", "")
        body["items"][0]["sku"] = body["items"][0]["sku"].lower()
        body["shipping_address"]["city"] += " "
        del body["shipping_address"]["line2"]
        again = api.order(body, key="one")
        assert again.content == first.content
        assert again["Idempotent-Replayed"] == "true"

    @pytest.mark.parametrize("on_sale", [True, False])
    def test_the_same_key_of_another_customer_is_another_order(
        self, api: Api, body: dict[str, Any], on_sale: bool
    ) -> None:
        other = {**body, "email": "bob@example.com", "phone": "+44 20 7946 0123"}
        mine, theirs = api.order(body, key="1"), api.order(other, key="1")
        assert mine.status_code == theirs.status_code == 201
        assert "Idempotent-Replayed" not in theirs
        assert json.loads(mine.content)["token"] not in theirs.content.decode()
        Product.objects.update(active=on_sale)
        for wanted, first in ((body, mine), (other, theirs)):
            again = api.order(wanted, key="1")
            assert (again.status_code, again.content) == (201, first.content)
            assert again["Idempotent-Replayed"] == "true"
            problem(api.order({**wanted, "items": wanted["items"][:1]}, key="1"), 422)
        assert Order.objects.count() == 2

    def test_how_an_address_is_capitalised_makes_no_other_customer(
        self, api: Api, body: dict[str, Any]
    ) -> None:
        api.order(body, key="1")
        problem(api.order({**body, "email": body["email"].title()}, key="1"), 422)

    def test_a_refused_request_does_not_use_the_key_up(self, api: Api, body: dict[str, Any]) -> None:
        problem(api.order({**body, "email": "ada"}, key="one"), 400)
        assert api.order(body, key="one").status_code == 201


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("key", "reason"),
    [
        (None, "This header is required"),
        ("", "visible ASCII"),
        ("   ", "visible ASCII"),
        ("caf\u00e9", "visible ASCII"),
        ("k" * 256, "up to 255"),
        ("one,two", "sent twice"),  # what a server makes of two headers
        (",", "sent twice"),
    ],
)
def test_a_key_is_needed(api: Api, body: dict[str, Any], key: str | None, reason: str) -> None:
    headers = {} if key is None else {"Idempotency-Key": key}
    found = problem(api.post("/api/orders/", body, **headers), 400)
    assert reason in found["errors"]["Idempotency-Key"][0]


@pytest.mark.usefixtures("shop")
def test_a_key_may_have_255_characters(api: Api, body: dict[str, Any]) -> None:
    assert api.order(body, key="k" * 255).status_code == 201


@pytest.mark.django_db(transaction=True)
class TestAtOnce:
    def test_twenty_identical_requests_make_one_order(self, body: dict[str, Any]) -> None:
        stock_shop()
        answers = _answers(lambda _: Api().order(body, key="one"))

        placed = [answer for answer in answers if answer.status_code == 201]
        busy = [answer for answer in answers if answer.status_code != 201]
        assert len({answer.content for answer in placed}) == 1
        assert sum("Idempotent-Replayed" not in answer for answer in placed) == 1
        for answer in busy:
            problem(answer, 409)
        assert Order.objects.count() == Payment.objects.count() == 1
        assert Order.objects.get().lines.count() == 2
        assert Api().order(body, key="one").content == placed[0].content

    def test_one_key_of_twenty_customers_makes_twenty_orders(self, body: dict[str, Any]) -> None:
        stock_shop()
        answers = _answers(lambda number: Api().order({**body, "email": f"c{number}@example.com"}, key="1"))
        assert {answer.status_code for answer in answers} == {201}
        assert len({json.loads(answer.content)["token"] for answer in answers}) == 20
        assert Order.objects.count() == 20

    def test_twenty_keys_make_twenty_orders(self, body: dict[str, Any]) -> None:
        stock_shop()
        answers = _answers(lambda number: Api().order(body, key=f"key-{number}"))
        assert {answer.status_code for answer in answers} == {201}
        assert len({json.loads(answer.content)["token"] for answer in answers}) == 20
        assert Order.objects.count() == 20

    def test_a_repeat_is_asked_to_wait_while_the_first_is_being_handled(
        self, body: dict[str, Any], other_connection: psycopg.Connection
    ) -> None:
        stock_shop()
        # A row with this key that is not committed yet makes the first request wait in the middle of its work.
        other_connection.execute(
            "INSERT INTO orders_order (token, idempotency_key, fingerprint, email, phone, name, line1, line2, city,"
            " postcode, country, payment_method, currency, total_minor, tax_minor)"
            " VALUES ('t', 'one', 'f', 'e', 'p', 'n', 'l', '', 'c', 'p', 'GB', 'cod', 'GBP', 1, 0)"
        )
        with ThreadPoolExecutor(1) as pool:
            first = pool.submit(_order_and_hang_up, body)
            _until_one_waits()
            busy = Api().order(body, key="one")
            other_connection.rollback()
            answer = first.result(timeout=30)

        assert problem(busy, 409)["type"].endswith("/api/problems/request-in-progress/")
        assert busy["Retry-After"] == "1"
        assert answer.status_code == 201
        assert Api().order(body, key="one").content == answer.content


@pytest.fixture
def other_connection(transactional_db: None) -> Iterator[psycopg.Connection]:
    """A second connection to the test's database, in a transaction."""
    parameters = connection.get_connection_params()
    names = ("host", "port", "user", "password", "dbname")
    with psycopg.connect(**{name: parameters[name] for name in names if name in parameters}) as other:
        yield other
        other.rollback()


def _answers(ask: Callable[[int], HttpResponse]) -> list[HttpResponse]:
    """The answers to twenty requests that are sent at the same moment."""
    found = [answer for answer in at_once(ask, 20) if isinstance(answer, HttpResponse)]
    assert len(found) == 20
    return found


def _order_and_hang_up(body: dict[str, Any]) -> Any:
    try:
        return Api().order(body, key="one")
    finally:
        connection.close()


def _until_one_waits() -> None:
    """Return when a connection to this database waits for a lock."""
    waiting = threading.Event()
    for _ in range(3_000):
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT EXISTS (SELECT FROM pg_stat_activity"
                " WHERE datname = current_database() AND wait_event_type = 'Lock')"
            )
            if cursor.fetchone()[0]:
                return
        waiting.wait(0.01)
    pytest.fail("The first request never waited for the uncommitted row.")
