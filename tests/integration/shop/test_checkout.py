"""The checkout: one cart becomes one order, whatever a browser sends and however often."""

import re
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import pytest
from django.db import connection
from django.http import HttpResponseBase
from django.test import Client
from django.urls import reverse
from pytest_django import Settings

from orders.models import Order
from shop.cart import cookie, keeping
from shop.cart.models import CartLine
from shop.catalogue.models import Product
from tests.integration.shop.conftest import SHOPPER, stock_shop

Fill = Callable[..., None]
CHECKOUT = "/checkout/"


def form_of(client: Client, **changes: str) -> dict[str, str]:
    """What the browser would send: the shopper's details and the hidden ticket of the page."""
    page = client.get(CHECKOUT).content.decode()
    found = re.search(r'name="ticket" value="([^"]+)"', page)
    assert found, page
    return {**SHOPPER, "ticket": found[1], **changes}


def is_order_page(response: HttpResponseBase, order: Order) -> bool:
    return response.status_code == 303 and response["Location"] == order.get_absolute_url()


@pytest.fixture
def cart(products: dict[str, Product], fill: Fill) -> None:
    fill(KETTLE=1, BOOK=2)


def test_an_order_is_placed_and_the_cart_emptied(client: Client, cart: None) -> None:
    response = client.post(CHECKOUT, form_of(client))
    order = Order.objects.get()
    assert is_order_page(response, order)
    assert not CartLine.objects.exists()
    assert (order.email, order.phone, order.country) == ("ada@example.com", "+442079460958", "GB")
    assert order.total_minor == 4999 + 2 * 1000
    assert order.tax_minor == 833  # the books bear none
    assert [(line.sku, line.quantity) for line in order.lines.all()] == [("KETTLE", 1), ("BOOK", 2)]
    assert order.payment.token == "pm_card_visa"


def test_cash_on_delivery_has_no_payment(client: Client, cart: None) -> None:
    client.post(CHECKOUT, form_of(client, payment="cod"))
    order = Order.objects.get()
    assert order.payment_method == "cod"
    assert not hasattr(order, "payment")


def test_a_postcode_is_asked_for_where_addresses_have_one(client: Client, cart: None) -> None:
    form = {**form_of(client), "postcode": " "}
    assert "Please fill this in." in client.post(CHECKOUT, form).content.decode()
    client.post(CHECKOUT, {**form, "country": "HK", "city": "Kowloon"})
    assert Order.objects.get().postcode == ""


def test_a_phone_number_is_one_of_the_country_chosen_unless_it_says_otherwise(
    client: Client, cart: None, fill: Fill
) -> None:
    client.post(
        CHECKOUT, {**form_of(client), "phone": "(0170) 123 45 67", "country": "DE", "postcode": "10115"}
    )
    assert Order.objects.get().phone == "+491701234567"


def test_an_empty_cart_has_no_checkout(client: Client, products: dict[str, Product]) -> None:
    assert client.get(CHECKOUT)["Location"] == reverse("cart")
    assert client.post(CHECKOUT, SHOPPER)["Location"] == reverse("cart")


def test_sending_the_form_again_leads_to_the_same_order(client: Client, cart: None) -> None:
    form = form_of(client)
    client.post(CHECKOUT, form)
    order = Order.objects.get()

    assert is_order_page(client.post(CHECKOUT, form), order)  # the answer was lost, or the shopper went back
    del client.cookies[cookie.NAME]
    assert is_order_page(client.post(CHECKOUT, form), order)
    assert is_order_page(client.post(CHECKOUT, {"ticket": form["ticket"]}), order)
    assert Order.objects.count() == 1


def test_a_web_process_that_dies_after_placing_leaves_no_second_order(
    client: Client, cart: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It placed the order and never came to take the goods out of the cart."""
    form = form_of(client)
    with monkeypatch.context() as dying:
        dying.setattr(keeping, "became_order", lambda *_: None)
        client.post(CHECKOUT, form)
    order = Order.objects.get()
    assert CartLine.objects.count() == 2
    assert is_order_page(client.get(CHECKOUT), order)
    assert not CartLine.objects.exists()


def test_the_same_checkout_with_other_details_shows_the_order_that_was_placed(
    client: Client, cart: None
) -> None:
    form = form_of(client)
    client.post(CHECKOUT, form)
    response = client.post(CHECKOUT, {**form, "name": "Charles Babbage"})
    order = Order.objects.get()
    assert is_order_page(response, order)
    assert order.name == "Ada Lovelace"
    assert "had already placed order" in client.get(response["Location"]).content.decode()


def test_reloading_the_checkout_of_a_placed_order_shows_the_order(
    client: Client, cart: None, fill: Fill
) -> None:
    client.post(CHECKOUT, form_of(client))
    assert is_order_page(client.get(CHECKOUT), Order.objects.get())
    fill(KETTLE=1)
    assert client.get(CHECKOUT).status_code == 200


def test_two_tabs_share_one_checkout(client: Client, cart: None) -> None:
    first, second = form_of(client), form_of(client)
    client.post(CHECKOUT, first)
    client.post(CHECKOUT, second)
    assert Order.objects.count() == 1


def test_a_new_cart_after_an_order_makes_a_second_one(client: Client, cart: None, fill: Fill) -> None:
    client.post(CHECKOUT, form_of(client))
    fill(KETTLE=1, BOOK=2)
    client.post(CHECKOUT, form_of(client))
    assert Order.objects.count() == 2


@pytest.mark.django_db(transaction=True)
def test_twenty_identical_forms_at_once_make_one_order() -> None:
    stock_shop()
    first = Client()
    first.post(reverse("cart_change", args=["MUG"]), {"quantity": 3})  # the last ones
    form = form_of(first)
    held = first.cookies[cookie.NAME].value
    together = Barrier(20)

    def send(_: int) -> HttpResponseBase:
        browser = Client()
        browser.cookies[cookie.NAME] = held
        together.wait()
        try:
            return browser.post(CHECKOUT, form)
        finally:
            connection.close()

    with ThreadPoolExecutor(20) as senders:
        responses = list(senders.map(send, range(20)))
    order = Order.objects.get()
    assert all(is_order_page(response, order) for response in responses)


def test_the_shopper_is_asked_again_when_the_cart_changed_in_between(
    client: Client, cart: None, fill: Fill
) -> None:
    form = form_of(client)
    fill(KETTLE=1)
    response = client.post(CHECKOUT, form)
    assert response.status_code == 422
    assert "has changed since this page was shown" in response.content.decode()
    assert not Order.objects.exists()


def test_the_shopper_is_asked_again_when_a_price_changed_in_between(client: Client, cart: None) -> None:
    form = form_of(client)
    Product.objects.filter(sku="KETTLE").update(price_minor=9999)
    response = client.post(CHECKOUT, form)
    assert response.status_code == 422
    assert "£119.99" in response.content.decode()
    assert not Order.objects.exists()
    client.post(CHECKOUT, {**form, "ticket": form_of(client)["ticket"]})
    assert Order.objects.get().total_minor == 9999 + 2000


def test_a_price_in_the_form_means_nothing(client: Client, cart: None) -> None:
    client.post(CHECKOUT, form_of(client, price="1", total="1", price_minor="1"))
    assert Order.objects.get().total_minor == 6999


def test_what_is_sold_out_is_not_ordered(client: Client, products: dict[str, Product], fill: Fill) -> None:
    fill(MUG=3)
    form = form_of(client)
    fill(MUG=1)
    client.post(CHECKOUT, form)
    response = client.post(CHECKOUT, form_of(client))
    assert response.status_code == 422
    assert "sold to others" in response.content.decode()
    assert not Order.objects.exists()


@pytest.mark.parametrize("ticket", ["", "rubbish", "WyJhIiwiYiJd:1tabcd:forged"])
def test_a_forged_ticket_places_nothing(client: Client, cart: None, ticket: str) -> None:
    response = client.post(CHECKOUT, {**SHOPPER, "ticket": ticket})
    assert response.status_code == 422
    assert not Order.objects.exists()
    assert "Ada Lovelace" in response.content.decode()  # nothing has to be typed again


@pytest.mark.parametrize(
    ("field", "typed", "told"),
    [
        ("email", "ada", "This is not an e-mail address"),
        ("email", "", "Please fill this in."),
        ("phone", "12", "This is not a phone number of United Kingdom"),
        ("phone", "07700 900123 x5", "“x” (U+0078)"),
        ("postcode", "!!!", "This is not a postcode of United Kingdom"),
        ("name", "\u3164", "This is empty."),
        ("name", "Ada \u202edrol", "U+202E"),
        ("email", "jörg@example.com", "“ö” before the @"),
        ("name", "  ", "Please fill this in."),
        ("line1", "x" * 201, "at most 200 characters"),
        ("city", "Lon\x07don", "control character"),
        ("country", "XX", "not one of the available choices"),
        ("payment", "", "Choose how you want to pay."),
        ("payment", "4242424242424242", "Choose one of these."),
        ("payment", "pm_of_somebody_else", "Choose one of these."),
    ],
)
def test_each_error_is_told_beside_its_field(
    client: Client, cart: None, field: str, typed: str, told: str
) -> None:
    response = client.post(CHECKOUT, form_of(client, **{field: typed}))
    assert response.status_code == 422
    [problem] = response.context["form"].errors[field]
    assert told in problem
    page = response.content.decode()
    assert f'id="{field}-error"' in page
    assert "Nothing was ordered yet" in page
    assert not Order.objects.exists()


def test_no_test_cards_without_the_sandbox(client: Client, cart: None, settings: Settings) -> None:
    settings.PAYMENT_GATEWAY = "some.real.Gateway"
    response = client.post(CHECKOUT, form_of(client))
    assert response.status_code == 422
    assert "pm_card_visa" not in client.get(CHECKOUT).content.decode()
