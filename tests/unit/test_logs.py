"""Each line of a log is an object that says what it is about; for people it is words."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from io import StringIO
from logging.config import DictConfigurator
from typing import Any

import orjson
import pytest
from django.http import HttpRequest, HttpResponse
from django.test import Client, RequestFactory
from structlog.contextvars import bound_contextvars, clear_contextvars

from shop import logs

log = logging.getLogger("shop.tests")


@pytest.fixture(autouse=True)
def _no_context() -> Iterator[None]:
    yield
    clear_contextvars()


@contextmanager
def written(form: str) -> Iterator[list[str]]:
    """What is logged within, as lines."""
    lines: list[str] = []
    handler = logging.StreamHandler(stream := StringIO())
    configuration: Any = logs.configuration("INFO", form)
    handler.setFormatter(DictConfigurator({}).configure_formatter(configuration["formatters"]["line"]))
    logging.getLogger().addHandler(handler)
    try:
        yield lines
    finally:
        logging.getLogger().removeHandler(handler)
        lines += stream.getvalue().splitlines()


def answered(header: str | None) -> tuple[dict[str, Any], HttpResponse]:
    """The line of a view that logs, as an object, and its response."""

    def view(_request: HttpRequest) -> HttpResponse:
        log.warning("%s waits for its parcel", "S-100017")
        return HttpResponse()

    request = RequestFactory().get("/", headers={"X-Request-Id": header} if header else {})
    with written("json") as lines:
        response = logs.request_id(view)(request)
    [line] = lines
    assert isinstance(response, HttpResponse)
    return orjson.loads(line), response


def test_a_line_is_json_with_order_number_and_request_id() -> None:
    line, response = answered("edge-7.1_a")
    assert line.pop("timestamp").endswith("Z")
    assert line == {
        "message": "S-100017 waits for its parcel",
        "level": "warning",
        "logger": "shop.tests",
        "orders": ["S-100017"],
        "request_id": "edge-7.1_a",
    }
    assert response["X-Request-Id"] == "edge-7.1_a"


@pytest.mark.parametrize("header", [None, "a" * 65, "two words", '{"a":1}', "á"])
def test_an_id_is_drawn_for_a_request_that_has_no_valid_one(header: str | None) -> None:
    line, response = answered(header)
    assert line["request_id"] == response["X-Request-Id"] != header
    assert line["request_id"] != answered(header)[0]["request_id"]


def test_what_django_logs_of_an_answer_is_about_the_request_and_what_follows_is_not(client: Client) -> None:
    with written("json") as lines:
        response = client.get("/api/nowhere/", headers={"X-Request-Id": "edge-7"})
        log.warning("Quiet.")
    answer, quiet = map(orjson.loads, lines)
    assert (answer["message"], answer["request_id"]) == ("Not Found: /api/nowhere/", "edge-7")
    assert response["X-Request-Id"] == "edge-7"
    assert "request_id" not in quiet


def test_an_error_with_its_traceback_is_one_line() -> None:
    with written("json") as lines:
        try:
            raise ValueError("S-100018 is odd:\nŁ")
        except ValueError:
            log.exception("It failed.")
    [line] = lines
    assert "ValueError: S-100018 is odd" in orjson.loads(line.encode())["exception"]


def test_people_read_words_and_the_first_few_orders_of_a_batch() -> None:
    orders = [f"S-{100_001 + number}" for number in range(40)]
    with written("console") as lines, bound_contextvars(orders=orders):
        log.warning("The carrier is slow")
    [line] = lines
    assert "The carrier is slow" in line
    assert "'S-100005', 'and 35 more'" in line
    assert "S-100006" not in line
