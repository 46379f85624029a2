"""A small shop for the pages' tests: two categories, a few products, their stock."""

from collections.abc import Callable, Iterator

import pytest
from django.core.cache import cache
from django.test import Client
from django.urls import reverse
from pytest_django import Settings

from orders.models import Order
from orders.placing import Address, LineDraft, OrderDraft, place
from shop.catalogue.models import Category, Product
from tests.making import stock_to

SHOPPER = {
    "email": "ada@example.com",
    "phone": "+44 20 7946 0958",
    "name": "Ada Lovelace",
    "line1": "12 St James's Square",
    "line2": "",
    "postcode": "SW1Y 4JH",
    "city": "London",
    "country": "GB",
    "payment": "pm_card_visa",
}


@pytest.fixture(autouse=True)
def _pages(settings: Settings) -> Iterator[None]:
    """Static files by their plain names, as nothing was collected; the menu of each test its own."""
    settings.STORAGES = {
        **settings.STORAGES,
        "staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"},
    }
    cache.clear()
    yield
    cache.clear()


def stock_shop() -> dict[str, Product]:
    kitchen = Category.objects.create(name="Kitchen", slug="kitchen", position=2)
    outdoors = Category.objects.create(name="Outdoors", slug="outdoors", position=1)
    rows = [
        ("KETTLE", "Cast iron kettle", kitchen, 4999, 2000, 50),
        ("MUG", "Enamel mug", kitchen, 1250, 2000, 3),
        ("BOOK", "Book of knots", outdoors, 1000, 0, 20),
        ("TENT", "Canvas tent", outdoors, 19900, 2000, 0),
    ]
    products = {
        sku: Product.objects.create(
            sku=sku,
            name=name,
            category=category,
            price_minor=price,
            currency="GBP",
            tax_rate_bp=tax,
            description=f"A {name} that lasts.",
        )
        for sku, name, category, price, tax, _ in rows
    }
    stock_to({sku: stock for sku, *_, stock in rows})
    return products


@pytest.fixture
def products(db: None) -> dict[str, Product]:
    return stock_shop()


@pytest.fixture
def fill(client: Client) -> Callable[..., None]:
    """`fill(KETTLE=2, MUG=1)` puts them into the client's cart."""

    def _fill(**quantities: int) -> None:
        for sku, quantity in quantities.items():
            client.post(reverse("cart_change", args=[sku]), {"quantity": quantity})

    return _fill


@pytest.fixture
def order(products: dict[str, Product]) -> Order:
    """A placed order of one kettle, to be paid by card; nothing works on it."""
    placed = place(
        OrderDraft(
            key="a-test-order",
            fingerprint="0" * 64,
            email="ada@example.com",
            phone="+442079460958",
            address=Address("Ada Lovelace", "12 St James's Square", "", "London", "SW1Y 4JH", "GB"),
            currency="GBP",
            lines=[LineDraft("KETTLE", "Cast iron kettle", 1, 4999, 2000)],
            payment_method="card",
            payment_token="pm_card_visa",
        ),
        wait=True,
    )
    return Order.objects.get(pk=placed.id)
