"""Whatever goes wrong under /api/ is answered with a problem, never with a page."""

import json
import logging
from collections.abc import Iterator
from http import HTTPStatus
from typing import Any

import pytest
from django.db import connection
from django.test import Client

from orders.models import Order
from stack.ports import Ports
from tests.integration.api.conftest import Api, problem, stock_shop


@pytest.mark.parametrize("path", ["/api/", "/api/nothing/", "/api/nothing", "/api/orders/a/b/", "/api/%00"])
@pytest.mark.parametrize("method", ["GET", "POST", "DELETE"])
def test_where_there_is_nothing(api: Api, path: str, method: str) -> None:
    found = problem(api.raw(method, path, b"", "application/json"), 404)
    assert found["type"] == "about:blank"
    assert found["title"] == "Not Found"


@pytest.mark.django_db
@pytest.mark.parametrize(
    "path", ["/api/orders/unknown-token/", "/api/products/UNKNOWN/", "/api/products/%00/"]
)
def test_what_is_not_there(api: Api, path: str) -> None:
    problem(api.get(path), 404)


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_a_path_without_its_slash_leads_on_and_loses_nothing(api: Api, method: str) -> None:
    response = api.raw(method, "/api/products?search=mug", b"", "application/json")
    assert response.status_code == 308
    assert response["Location"] == "/api/products/?search=mug"


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        ("GET", "/api/orders/", "POST, OPTIONS"),
        ("PUT", "/api/orders/", "POST, OPTIONS"),
        ("POST", "/api/products/", "GET, HEAD, OPTIONS"),
        ("DELETE", "/api/orders/token/", "GET, HEAD, OPTIONS"),
        ("GET", "/api/orders/token/cancel/", "POST, OPTIONS"),
        ("BREW", "/api/orders/", "POST, OPTIONS"),
    ],
)
def test_a_method_that_is_not_taken(api: Api, method: str, path: str, allowed: str) -> None:
    response = api.raw(method, path, b"", "application/json")
    problem(response, 405)
    assert response["Allow"] == allowed


def test_options_say_what_is_taken(api: Api) -> None:
    response = api.raw("OPTIONS", "/api/orders/", b"", "application/json")
    assert (response.status_code, response["Allow"]) == (204, "POST, OPTIONS")


@pytest.mark.parametrize("accept", ["text/html", "application/xml"])
def test_an_answer_that_the_client_would_not_take(api: Api, body: dict[str, Any], accept: str) -> None:
    response = api.post("/api/orders/", body, **{"Idempotency-Key": "k", "Accept": accept})
    problem(response, 406)


@pytest.mark.usefixtures("shop")
@pytest.mark.parametrize("accept", ["*/*", "application/*", "application/json", "text/html, */*;q=0.1"])
def test_answers_that_the_client_takes(api: Api, accept: str) -> None:
    assert api.get("/api/products/", Accept=accept).status_code == 200


@pytest.mark.parametrize(
    "content_type", ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x", ""]
)
def test_a_body_of_another_type(api: Api, body: dict[str, Any], content_type: str) -> None:
    data = json.dumps(body).encode()
    response = api.raw("POST", "/api/orders/", data, content_type, **{"Idempotency-Key": "k"})
    problem(response, 415)
    assert response["Accept"] == "application/json"


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"{",
        b'{"email": "a@b.example",}',
        b'{"email": NaN}',
        b"\xff\xfe{}",
        b'{"email": "\\ud800"}',
        b"[" * 100_000,
        '{"email": "ada@example.com"}'.encode("utf-16"),
    ],
)
def test_a_body_that_is_not_json(api: Api, data: bytes) -> None:
    response = api.raw("POST", "/api/orders/", data, "application/json", **{"Idempotency-Key": "k"})
    assert problem(response, 400)["type"].endswith("/api/problems/malformed-json/")


def test_a_body_that_is_too_large(api: Api) -> None:
    data = b'"' + b"x" * 256 * 1024 + b'"'
    response = api.raw("POST", "/api/orders/", data, "application/json", **{"Idempotency-Key": "k"})
    assert "262,144 bytes" in problem(response, 413)["detail"]


def test_every_kind_of_problem_has_its_page(api: Api, body: dict[str, Any], client: Client) -> None:
    found = problem(api.post("/api/orders/", body), 400)
    page = client.get(found["type"])
    assert page.status_code == 200
    assert found["title"] in page.content.decode()
    problem(api.get("/api/problems/none-of-them/"), 404)


@pytest.fixture
def no_database(transactional_db: None) -> Iterator[None]:
    """Nobody listens where the database should be."""
    stock_shop()
    connection.close()
    port = connection.settings_dict["PORT"]
    connection.settings_dict["PORT"] = Ports.free().postgres
    yield
    connection.close()
    connection.settings_dict["PORT"] = port


@pytest.mark.usefixtures("no_database")
class TestWithoutTheDatabase:
    def test_an_order_is_asked_to_come_again(self, api: Api, body: dict[str, Any]) -> None:
        response = api.order(body)
        assert problem(response, 503)["type"].endswith("/api/problems/temporarily-unavailable/")
        assert int(response["Retry-After"]) > 0

    @pytest.mark.parametrize("path", ["/api/products/", "/api/products/MUG/", "/api/orders/token/"])
    def test_so_is_everything_else(self, api: Api, path: str) -> None:
        assert "Retry-After" in api.get(path)
        problem(api.get(path), 503)

    def test_the_health_check_says_so(self, client: Client) -> None:
        response = client.get("/healthz")
        assert response.status_code == 503
        assert response.json()["ok"] is False


@pytest.mark.django_db(transaction=True)
class TestAfterTheDatabaseRestarted:
    def test_an_order_is_placed_on_a_new_connection(self, api: Api, body: dict[str, Any]) -> None:
        stock_shop()
        _cut_the_connection()
        assert api.order(body).status_code == 201
        assert Order.objects.count() == 1

    def test_the_health_check_raises_no_false_alarm(self, client: Client) -> None:
        _cut_the_connection()
        response = client.get("/healthz")
        assert (response.status_code, response.json()) == (200, {"ok": True})


def _cut_the_connection() -> None:
    """End the server's side of our connection, as a restart of the database does; ours has yet to notice."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_backend_pid()")
        (pid,) = cursor.fetchone()
    other = connection.copy()
    with other.cursor() as cursor:
        cursor.execute("SELECT pg_terminate_backend(%s, 5000)", [pid])
    other.close()


@pytest.mark.django_db
def test_a_bug_is_logged_and_not_shown(
    api: Api, body: dict[str, Any], caplog: pytest.LogCaptureFixture
) -> None:
    stock_shop()
    with connection.cursor() as cursor:
        cursor.execute("ALTER TABLE orders_orderline RENAME COLUMN sku TO stock_keeping_unit")
    with caplog.at_level(logging.ERROR):
        response = api.order(body)

    found = problem(response, HTTPStatus.INTERNAL_SERVER_ERROR)
    assert "column" not in json.dumps(found)
    [record] = [record for record in caplog.records if record.levelno == logging.ERROR]
    assert record.exc_info is not None
    assert "orders_orderline" in str(record.exc_info[1])
