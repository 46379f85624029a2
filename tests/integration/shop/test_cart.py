"""The cart: on the server, bounded, changed in no silence, and never a reason for an error page."""

from collections.abc import Callable
from datetime import timedelta

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries

from shop.cart import cookie, keeping
from shop.cart.models import Cart, CartLine
from shop.catalogue.models import Product
from workers.celery import app
from workers.periodic import sweep_carts

Fill = Callable[..., None]
HTMX = {"HX-Request": "true"}


def in_cart(client: Client) -> dict[str, int]:
    morsel = client.cookies.get(cookie.NAME)
    lines = CartLine.objects.filter(cart__token=morsel.value if morsel else "")
    return dict(lines.values_list("sku", "quantity"))


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


def test_who_has_no_cart_costs_no_query_for_one(
    client: Client, fill: Fill, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    with django_assert_num_queries(1):  # the menu
        client.get(reverse("cart"))
    fill(KETTLE=1)
    with django_assert_num_queries(1):  # products; cart and stock are asked for below the ORM
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


@pytest.mark.parametrize(
    "typed", ["0", "-1", "-3", "x", "abc", "", "1e9", "1.5", "1000000000", "9" * 30, "²"]
)
@pytest.mark.parametrize("htmx", [True, False])
def test_what_is_no_quantity_is_refused_and_adds_nothing(
    client: Client, fill: Fill, typed: str, htmx: bool
) -> None:
    fill(KETTLE=2)
    address = reverse("cart_change", args=["KETTLE"])
    said = client.post(
        address, {"quantity": typed}, headers=HTMX if htmx else {}, follow=not htmx
    ).content.decode()
    assert "nothing was changed" in said or "nothing was added" in said
    assert in_cart(client) == {"KETTLE": 2}


def test_digits_of_every_script_are_digits(client: Client) -> None:
    client.post(reverse("cart_change", args=["KETTLE"]), {"quantity": " ٣ "})
    assert in_cart(client) == {"KETTLE": 3}


@pytest.mark.parametrize("typed", ["-1", "abc", "", "1e9", "100"])
def test_the_cart_shows_what_it_holds_and_why_it_is_not_what_was_typed(
    client: Client, fill: Fill, typed: str
) -> None:
    fill(KETTLE=2)
    address = reverse("cart_change", args=["KETTLE"])
    page = client.post(address, {"set": "1", "quantity": typed}, headers=HTMX).content.decode()
    assert "nothing was changed" in page
    assert 'name="quantity" value="2"' in page
    assert "£99.98" in page
    assert "novalidate" in page, "or the browser refuses without a word, and the box keeps what was typed"
    assert in_cart(client) == {"KETTLE": 2}


def test_more_than_fits_is_refused_and_not_cut(client: Client, fill: Fill) -> None:
    fill(KETTLE=5000)
    assert in_cart(client) == {}
    fill(KETTLE=98)
    said = client.post(
        reverse("cart_change", args=["KETTLE"]), {"quantity": "2"}, headers=HTMX
    ).content.decode()
    assert "98 are in yours already, so nothing was added" in said
    assert in_cart(client) == {"KETTLE": 98}


def test_an_unknown_product_cannot_be_added(client: Client) -> None:
    address = reverse("cart_change", args=["NOPE"])
    assert client.post(address).status_code == 404
    assert client.post(address, {"set": "1", "quantity": "3"}).status_code == 303
    assert in_cart(client) == {}


@pytest.mark.parametrize("forged", ["", "rubbish", "eyJpdGVtcyI6eyJLRVRUTEUiOjF9fQ:1tabcd:forged", "0" * 32])
def test_a_cookie_that_names_no_cart_is_an_empty_one(client: Client, forged: str) -> None:
    client.cookies[cookie.NAME] = forged
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


def test_a_full_cart_stays_as_it_is(client: Client, fill: Fill) -> None:
    fill(KETTLE=1)
    cart = Cart.objects.get()
    others = [CartLine(cart=cart, sku=f"SKU-{number}", quantity=1) for number in range(1, keeping.MAX_LINES)]
    CartLine.objects.bulk_create(others)
    said = client.post(reverse("cart_change", args=["MUG"]), headers=HTMX).content.decode()
    assert "Your cart is full" in said
    assert CartLine.objects.count() == keeping.MAX_LINES
    fill(KETTLE=6)
    assert in_cart(client)["KETTLE"] == 7


def test_what_does_not_fit_of_an_order_that_is_put_back_is_named() -> None:
    left_out = keeping.refill("a" * 32, "order", [("KETTLE", 150), ("MUG", 2)])
    assert left_out == ["KETTLE"]
    assert dict(CartLine.objects.values_list("sku", "quantity")) == {"MUG": 2}


def test_what_is_put_back_takes_nothing_out_of_the_cart() -> None:
    keeping.add("a" * 32, "MUG", 5)
    keeping.refill("a" * 32, "order", [("MUG", 2)])
    assert CartLine.objects.get().quantity == 5


def test_carts_whose_cookie_has_expired_are_swept() -> None:
    keeping.add("a" * 32, "MUG", 1)
    keeping.add("b" * 32, "MUG", 1)
    expired = timezone.now() - timedelta(seconds=cookie.MAX_AGE + 1)
    Cart.objects.filter(token="a" * 32).update(changed_at=expired)
    [entry] = [one for one in app.conf.beat_schedule.values() if one["task"] == sweep_carts.name]
    assert entry["schedule"] <= 3600
    sweep_carts()
    assert Cart.objects.get().token == "b" * 32
    assert CartLine.objects.count() == 1
