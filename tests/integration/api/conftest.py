"""A small catalogue, and a client that speaks JSON and reads problems."""

import copy
import json
from collections.abc import Iterator
from typing import Any
from uuid import uuid4

import pytest
from django.core.cache import cache
from django.http import HttpResponse
from django.test import Client
from pytest_django import Settings

from shop.catalogue.models import Category, Product
from tests.making import stock_to

BODY: dict[str, Any] = {
    "email": "ada@example.com",
    "phone": "+44 20 7946 0958",
    "items": [{"sku": "KETTLE", "quantity": 1}, {"sku": "MUG", "quantity": 2}],
    "shipping_address": {
        "name": "Ada Lovelace",
        "line1": "12 St James's Square",
        "line2": "",
        "city": "London",
        "postcode": "SW1Y 4JH",
        "country": "GB",
    },
    "payment": {"method": "card", "token": "pm_card_visa"},
}
KETTLE, MUG, BOOK = 4999, 1250, 1000


class Api:
    """Django's client for /api/; `raw` sends bytes as they are."""

    def __init__(self) -> None:
        self._client = Client(raise_request_exception=False)

    def get(self, path: str, **headers: str) -> HttpResponse:
        return self._client.get(path, headers=headers)  # type: ignore[return-value]

    def post(self, path: str, body: Any = None, **headers: str) -> HttpResponse:
        data = b"" if body is None else json.dumps(body).encode()
        return self.raw("POST", path, data, "application/json", **headers)

    def order(self, body: Any, key: str | None = None) -> HttpResponse:
        """Place an order, under a key of its own if none is given."""
        return self.post("/api/orders/", body, **{"Idempotency-Key": key or str(uuid4())})

    def raw(self, method: str, path: str, data: bytes, content_type: str, **headers: str) -> HttpResponse:
        # Named twice: Django's client leaves the type of an empty body out.
        return self._client.generic(  # type: ignore[return-value]
            method, path, data, content_type=content_type, headers={**headers, "Content-Type": content_type}
        )


def problem(response: HttpResponse, status: int) -> dict[str, Any]:
    """The problem in an answer, which must be one of RFC 9457."""
    assert response.status_code == status, response.content
    assert response["Content-Type"] == "application/problem+json"
    answer: dict[str, Any] = json.loads(response.content)
    assert answer["status"] == status
    assert answer["type"] == "about:blank" or answer["type"].startswith("http")
    assert answer["title"]
    assert answer["detail"]
    assert answer["instance"].startswith("/")
    return answer


def stock_shop() -> None:
    kitchen = Category.objects.create(name="Kitchen", slug="kitchen")
    books = Category.objects.create(name="Books", slug="books")
    rows = [
        ("KETTLE", "Cast iron kettle", kitchen, KETTLE, 2000),
        ("MUG", "Enamel mug", kitchen, MUG, 2000),
        ("BOOK", "Book of knots", books, BOOK, 0),
    ]
    Product.objects.bulk_create(
        Product(sku=sku, name=name, category=category, price_minor=price, currency="GBP", tax_rate_bp=tax)
        for sku, name, category, price, tax in rows
    )
    stock_to({sku: 50 for sku, *_ in rows})


@pytest.fixture(autouse=True)
def _plain_static_files(settings: Settings) -> Iterator[None]:
    """Static files by their plain names, as nothing was collected; no schema kept from another test."""
    settings.STORAGES = {
        **settings.STORAGES,
        "staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"},
    }
    cache.clear()
    yield
    cache.clear()


@pytest.fixture
def shop(db: None) -> None:
    stock_shop()


@pytest.fixture
def api() -> Api:
    return Api()


@pytest.fixture
def body() -> dict[str, Any]:
    """A good order of one kettle and two mugs, to be changed at will."""
    return copy.deepcopy(BODY)
