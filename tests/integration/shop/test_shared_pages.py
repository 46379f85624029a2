"""Pages that are the same for everybody carry nothing of anybody, and the forms on them are safe without a token."""

from typing import Any

import pytest
from django.contrib.auth import get_user_model
from django.test import Client
from django.urls import reverse

from shop.cart import cookie
from shop.cart.models import CartLine
from shop.catalogue.models import Product
from shop.pages.shared import SECONDS
from tests.integration.shop.conftest import SHOPPER

PAGES = ("/", "/c/kitchen/", "/products/KETTLE/", "/search/?q=kettle")
pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _on_sale(products: dict[str, Product]) -> None:
    assert "KETTLE" in products


@pytest.mark.parametrize("path", PAGES)
def test_they_are_the_same_byte_for_byte_whoever_asks(client: Client, path: str) -> None:
    anew = Client().get(path)
    assert anew["X-Accel-Expires"] == str(SECONDS)
    client.post(reverse("cart_change", args=["KETTLE"]), {"quantity": 3})
    client.get(reverse("checkout"))  # brings the cookie against forged requests
    client.cookies[cookie.VISITOR] = "ab" * 16
    again = client.get(path)
    assert again.content == anew.content
    assert again["X-Accel-Expires"] == str(SECONDS)
    for answer in (anew, again):
        assert "Cookie" not in answer.get("Vary", "")
        assert not answer.cookies


@pytest.mark.parametrize("path", PAGES)
def test_staff_get_pages_of_their_own(admin_client: Client, path: str) -> None:
    assert "X-Accel-Expires" not in admin_client.get(path)


@pytest.mark.parametrize("path", PAGES)
def test_so_does_whoever_is_to_be_told_something(client: Client, path: str) -> None:
    client.post(reverse("cart_change", args=["KETTLE"]), {"quantity": "many"})
    answer = client.get(path)
    assert "X-Accel-Expires" not in answer
    assert "is no number of pieces" in answer.content.decode()


@pytest.mark.parametrize(
    "path", ["/cart/", "/checkout/", "/c/unknown/", "/search/?page=999", "/admin/login/"]
)
def test_no_other_answer_is_kept(client: Client, path: str) -> None:
    assert "X-Accel-Expires" not in client.get(path)


class TestForms:
    @pytest.mark.parametrize(
        ("headers", "status"),
        [
            ({"Sec-Fetch-Site": "same-origin"}, 303),
            ({"Sec-Fetch-Site": "same-origin", "Origin": "http://testserver"}, 303),
            ({"Origin": "http://testserver"}, 303),
            ({"Sec-Fetch-Site": "same-site"}, 403),
            ({"Sec-Fetch-Site": "cross-site", "Origin": "http://testserver"}, 403),
            ({"Sec-Fetch-Site": "none"}, 403),
            ({"Origin": "http://testserver:81"}, 403),
            ({"Origin": "https://testserver"}, 403),
            ({"Origin": "null"}, 403),
            ({"Referer": "http://testserver/"}, 403),
            ({}, 403),
        ],
    )
    def test_a_form_is_ours_when_the_browser_says_so(self, headers: dict[str, str], status: int) -> None:
        browser = Client(enforce_csrf_checks=True)
        answer = browser.post(reverse("cart_change", args=["KETTLE"]), {"quantity": 2}, headers=headers)
        assert answer.status_code == status
        assert CartLine.objects.count() == (status == 303)

    def test_else_by_its_token(self) -> None:
        browser = Client(enforce_csrf_checks=True)
        browser.cookies["csrftoken"] = "a" * 32
        form = {"quantity": 2, "csrfmiddlewaretoken": "a" * 32}
        assert browser.post(reverse("cart_change", args=["KETTLE"]), form).status_code == 303

    def test_the_admin_wants_its_token_in_any_case(self) -> None:
        get_user_model().objects.create_superuser("ada", password="right")
        browser: Any = Client(enforce_csrf_checks=True, headers={"Sec-Fetch-Site": "same-origin"})
        said = {"username": "ada", "password": "right"}
        assert browser.post("/admin/login/", said).status_code == 403

    def test_the_checkout_too_goes_by_the_browsers_word(self) -> None:
        browser = Client(enforce_csrf_checks=True, headers={"Sec-Fetch-Site": "same-origin"})
        browser.post(reverse("cart_change", args=["KETTLE"]))
        assert browser.post(reverse("checkout"), SHOPPER).status_code == 422  # the page is too old


def test_the_first_pieces_of_a_visitor_without_nginx_before_the_shop() -> None:
    """Nobody drew a name for the visitor; a cookie of another shape is none either."""
    browser = Client()
    browser.cookies[cookie.VISITOR] = "../../etc"
    assert browser.post(reverse("cart_change", args=["KETTLE"])).status_code == 303
    assert CartLine.objects.count() == 1
