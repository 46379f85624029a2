"""The cart: kept in a signed cookie, bounded, and never a reason for an error page."""

from collections.abc import Callable
from contextlib import suppress
from hashlib import sha256

import pytest
from django.core import signing
from django.http import HttpResponse
from django.test import Client
from django.urls import reverse
from pytest_django import DjangoAssertNumQueries

from shop.cart import cookie
from shop.catalogue.models import Product

Fill = Callable[..., None]


def in_cart(client: Client) -> dict[str, int]:
    morsel = client.cookies.get(cookie.NAME)
    if morsel is None or not morsel.value:
        return {}
    return dict(signing.loads(morsel.value, salt="shop.cart")["items"])


@pytest.fixture(autouse=True)
def _shop(products: dict[str, Product]) -> None:
    """Every test here has the small shop."""


def test_adding_leads_to_the_cart_and_adds_up(client: Client) -> None:
    address = reverse("cart_change", args=["KETTLE"])
    response = client.post(address, {"quantity": "2"})
    assert (response.status_code, response["Location"]) == (303, reverse("cart"))
    client.post(address, {"quantity": "1"})
    assert in_cart(client) == {"KETTLE": 3}

    page = client.get(reverse("cart"))
    assert page.context["cart"].total_minor == 3 * 4999
    assert page.context["cart"].tax_minor == 2500  # 14997 * 2000 / 12000, rounded half up
    assert "£149.97" in page.content.decode()


def test_nothing_is_written_to_the_database(
    client: Client, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    with django_assert_num_queries(1):  # is there such a product?
        client.post(reverse("cart_change", args=["KETTLE"]))
    with django_assert_num_queries(2):  # products and menu; stock is asked for below the ORM
        client.get(reverse("cart"))


def test_setting_a_quantity_and_removing(client: Client, fill: Fill) -> None:
    fill(KETTLE=2, MUG=1)
    client.post(reverse("cart_change", args=["KETTLE"]), {"set": "1", "quantity": "5"})
    assert in_cart(client) == {"KETTLE": 5, "MUG": 1}
    client.post(reverse("cart_change", args=["KETTLE"]), {"set": "1", "quantity": "0"})
    assert in_cart(client) == {"MUG": 1}
    client.post(reverse("cart_change", args=["MUG"]), {"set": "1", "quantity": "0"})
    assert in_cart(client) == {}
    assert "Nothing in it yet" in client.get(reverse("cart")).content.decode()


def test_htmx_gets_the_part_that_changes(client: Client, fill: Fill) -> None:
    fill(KETTLE=1)
    headers = {"HX-Request": "true"}
    added = client.post(reverse("cart_change", args=["MUG"]), headers=headers).content.decode()
    assert "Added: 1 in your cart" in added
    assert 'hx-swap-oob="true"' in added
    changed = client.post(
        reverse("cart_change", args=["MUG"]), {"set": "1", "quantity": "2"}, headers=headers
    ).content.decode()
    assert changed.lstrip().startswith('<div id="cart">')
    assert "£74.99" in changed


@pytest.mark.parametrize("typed", ["-3", "x", "", "1e9", "999999999999", "٣"])
def test_a_strange_quantity_counts_as_one(client: Client, typed: str) -> None:
    client.post(reverse("cart_change", args=["KETTLE"]), {"quantity": typed})
    assert in_cart(client) == {"KETTLE": 1}


def test_a_quantity_is_capped(client: Client, fill: Fill) -> None:
    fill(KETTLE=5000)
    assert in_cart(client) == {"KETTLE": cookie.MAX_QUANTITY}


def test_an_unknown_product_cannot_be_added(client: Client) -> None:
    address = reverse("cart_change", args=["NOPE"])
    assert client.post(address).status_code == 404
    assert client.post(address, {"set": "1", "quantity": "3"}).status_code == 303
    assert in_cart(client) == {}


@pytest.mark.parametrize("forged", ["", "rubbish", "eyJpdGVtcyI6eyJLRVRUTEUiOjF9fQ:1tabcd:forged"])
def test_a_forged_cookie_is_an_empty_cart(client: Client, forged: str) -> None:
    client.cookies[cookie.NAME] = forged
    page = client.get(reverse("cart"))
    assert page.status_code == 200
    assert page.context["cart"].lines == []


def test_a_value_signed_for_something_else_is_an_empty_cart(client: Client) -> None:
    client.cookies[cookie.NAME] = signing.dumps({"items": {"KETTLE": 1}}, salt="another salt")
    assert client.get(reverse("cart")).context["cart"].lines == []


@pytest.mark.parametrize(
    "content", [["not", "a", "cart"], {}, {"items": [1, 2]}, {"items": {"KETTLE": "many", "MUG": -2, "": 1}}]
)
def test_a_cookie_of_another_shape_is_an_empty_cart(client: Client, content: object) -> None:
    client.cookies[cookie.NAME] = signing.dumps(content, salt="shop.cart")
    page = client.get(reverse("cart"))
    assert page.status_code == 200
    assert page.context["cart"].lines == []


def test_a_product_that_is_gone_is_taken_out_and_said(client: Client, fill: Fill) -> None:
    fill(KETTLE=1, MUG=1)
    Product.objects.filter(sku="KETTLE").update(active=False)
    page = client.get(reverse("cart"))
    assert "not sold any more" in page.content.decode()
    assert in_cart(client) == {"MUG": 1}
    assert "not sold any more" not in client.get(reverse("cart")).content.decode()


def test_more_than_there_is_stops_before_the_checkout(client: Client, fill: Fill) -> None:
    fill(MUG=4)
    page = client.get(reverse("cart")).content.decode()
    assert "Only 3 left." in page
    assert reverse("checkout") not in page


def test_a_full_cart_stays_as_it_is() -> None:
    cart = cookie.Cart()
    for number in range(cookie.MAX_LINES):
        cart.set(f"SKU-{number}", 1)
    with pytest.raises(cookie.CartFull):
        cart.set("ONE-TOO-MANY", 1)
    assert len(cart.items) == cookie.MAX_LINES
    cart.set("SKU-0", 7)
    assert cart.items["SKU-0"] == 7


def test_the_cookie_always_fits_into_a_browser() -> None:
    """The longest SKUs, as different from one another as can be, so that compressing them helps least."""
    skus = [sha256(str(number).encode()).hexdigest()[:40] for number in range(cookie.MAX_LINES)]
    cart = cookie.Cart()
    for sku in skus:
        with suppress(cookie.CartFull):
            cart.set(sku, cookie.MAX_QUANTITY)
    assert len(cart.items) > cookie.MAX_LINES // 2
    cart.become_checkout()
    response = HttpResponse()
    cookie.write(response, cart)
    assert len(response.cookies[cookie.NAME].OutputString()) < 4096
