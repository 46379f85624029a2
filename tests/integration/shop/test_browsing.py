"""Browsing: what is shown, in how many queries, and what happens to odd addresses."""

from collections.abc import Iterator
from typing import Any

import pytest
from django.core.cache import cache
from django.db import connection
from django.test import Client
from django.urls import reverse
from pytest_django import DjangoAssertNumQueries

from shop.catalogue.models import Category, Product
from shop.pages.browsing import PER_PAGE


@pytest.fixture(autouse=True)
def _shop(products: dict[str, Product]) -> None:
    """Every test here has the small shop."""


def names(response: Any) -> list[str]:
    return [offer.product.name for offer in response.context["offers"]]


def test_home_shows_every_category_in_the_order_of_the_menu(
    client: Client, django_assert_max_num_queries: DjangoAssertNumQueries
) -> None:
    with django_assert_max_num_queries(3):
        response = client.get(reverse("home"))
    assert [category.name for category, _ in response.context["shelves"]] == ["Outdoors", "Kitchen"]
    assert [category.name for category in response.context["menu"]] == ["Outdoors", "Kitchen"]


def test_the_black_friday_offer_opens_the_home_page(client: Client) -> None:
    assert client.get(reverse("home")).context["hero"] is None
    Product.objects.filter(sku="MUG").update(sku="BF-1")
    response = client.get(reverse("home"))
    assert response.context["hero"].product.name == "Enamel mug"
    assert "Enamel mug" not in [
        offer.product.name for _, shelf in response.context["shelves"] for offer in shelf
    ]


def test_an_empty_shop_says_so(client: Client) -> None:
    Product.objects.all().delete()
    assert "The shelves are still empty" in client.get(reverse("home")).content.decode()


def test_a_category_lists_its_own(client: Client) -> None:
    response = client.get(reverse("category", args=["kitchen"]))
    assert names(response) == ["Cast iron kettle", "Enamel mug"]
    assert client.get(reverse("category", args=["cellar"])).status_code == 404


@pytest.mark.parametrize(
    ("sku", "told"),
    [("KETTLE", "In stock"), ("MUG", "Only 3 left"), ("TENT", "Sold out"), ("kettle", "Cast iron kettle")],
)
def test_a_product_tells_its_price_and_stock(client: Client, sku: str, told: str) -> None:
    html = client.get(reverse("product", args=[sku])).content.decode()
    assert told in html
    assert "including 20% tax" in html


def test_a_product_not_on_sale_is_not_found(client: Client) -> None:
    Product.objects.filter(sku="KETTLE").update(active=False)
    assert client.get(reverse("product", args=["KETTLE"])).status_code == 404
    assert client.get(reverse("product", args=["NOPE"])).status_code == 404


def test_a_picture_that_is_not_there_does_not_take_the_page_down(client: Client) -> None:
    Product.objects.filter(sku="KETTLE").update(picture="")
    assert "placeholder-" in client.get(reverse("product", args=["KETTLE"])).content.decode()


def test_search_works_as_a_plain_form(client: Client) -> None:
    response = client.get(reverse("search"), {"q": "mug"})
    assert names(response) == ["Enamel mug"]
    assert 'value="mug"' in response.content.decode()


def test_live_search_gets_the_results_alone(client: Client) -> None:
    response = client.get(reverse("search"), {"q": "mug"}, headers={"HX-Request": "true"})
    html = response.content.decode()
    assert "<html" not in html
    assert "Enamel mug" in html
    assert "HX-Request" in response["Vary"]  # or the back button shows the fragment as a page
    restored = {"HX-Request": "true", "HX-History-Restore-Request": "true"}
    assert "<html" in client.get(reverse("search"), {"q": "mug"}, headers=restored).content.decode()


@pytest.mark.parametrize(
    "typed", ["%", "_", "\\", "'; --", "\x00", "x" * 5000, "<script>alert(1)</script>", "水"]
)
def test_whatever_is_typed_is_only_text(client: Client, typed: str) -> None:
    response = client.get(reverse("search"), {"q": typed})
    assert response.status_code == 200
    assert "<script>alert" not in response.content.decode()


def test_pages_of_a_long_list_keep_the_question(client: Client) -> None:
    kitchen = Category.objects.get(slug="kitchen")
    Product.objects.bulk_create(
        Product(sku=f"CUP-{i}", name=f"Cup {i:02}", category=kitchen, price_minor=100, currency="GBP")
        for i in range(PER_PAGE + 1)
    )
    first = client.get(reverse("search"), {"q": "cup"})
    assert len(names(first)) == PER_PAGE
    assert 'rel="next" href="?q=cup&amp;page=2"' in first.content.decode()
    second = client.get(reverse("search"), {"q": "cup", "page": "2"})
    assert len(names(second)) == 1
    assert 'rel="prev" href="?q=cup"' in second.content.decode()


@pytest.mark.parametrize("page", ["0", "-1", "999", "two", "1e3", ""])
def test_a_page_that_is_not_there_is_not_another_page(client: Client, page: str) -> None:
    assert client.get(reverse("search"), {"page": page}).status_code == 404
    assert client.get(reverse("category", args=["kitchen"]), {"page": page}).status_code == 404


@pytest.mark.parametrize("q", ["kettle " + "x" * 100, "kettle " * 9])
def test_a_question_that_is_too_long_is_cut_and_that_is_said(client: Client, q: str) -> None:
    assert "Only this was looked for: “kettle" in client.get(reverse("search"), {"q": q}).content.decode()
    assert (
        "Only this was looked for"
        not in client.get(reverse("search"), {"q": "cast  iron kettle"}).content.decode()
    )


def test_a_fresh_menu_costs_no_query(
    client: Client, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    client.get(reverse("cart"))
    with django_assert_num_queries(0):
        client.get(reverse("cart"))
    cache.clear()
    with django_assert_num_queries(1):
        client.get(reverse("cart"))


def test_addresses_that_browsers_ask_for_by_themselves(client: Client) -> None:
    assert "Disallow: /orders/" in client.get("/robots.txt").content.decode()
    assert client.get("/favicon.ico").status_code == 302


@pytest.mark.django_db(transaction=True)
class TestDatabaseAway:
    """The database really cannot be reached: the connection is pointed to a port where nobody listens."""

    @pytest.fixture
    def away(self) -> Iterator[None]:
        port, connection.settings_dict["PORT"] = connection.settings_dict["PORT"], "1"
        connection.close()
        yield
        connection.close()
        connection.settings_dict["PORT"] = port

    @pytest.mark.parametrize("address", ["/", "/search/?q=mug", "/products/MUG/", "/orders/some-token/"])
    def test_pages_say_when_to_come_back(self, client: Client, away: None, address: str) -> None:
        cache.clear()
        response = client.get(address)
        assert response.status_code == 503
        assert response["Retry-After"] == "5"
        assert "We are with you in a moment" in response.content.decode()

    def test_a_dead_connection_is_replaced_and_nobody_notices(self, client: Client) -> None:
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_backend_pid()")
            dead = cursor.fetchone()[0]
        other = connection.copy()
        with other.cursor() as cursor:
            cursor.execute("SELECT pg_terminate_backend(%s, 5000)", [dead])
        other.close()
        assert client.get("/products/MUG/").status_code == 200
