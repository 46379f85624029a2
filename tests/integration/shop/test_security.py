"""Headers that protect a shopper, on every page and in every part of the site."""

import re

import pytest
from django.http import HttpResponseBase
from django.test import Client
from django.urls import reverse

from orders.models import Order
from shop.cart import cookie
from shop.catalogue.models import Product
from tests.integration.shop.conftest import SHOPPER


def policy(response: HttpResponseBase) -> dict[str, str]:
    header = response["Content-Security-Policy"]
    return dict(part.strip().split(" ", 1) for part in header.split(";"))


@pytest.mark.parametrize("address", ["/", "/search/", "/cart/", "/products/MUG/", "/nothing-here/"])
def test_the_shop_runs_nothing_inline_and_loads_nothing_from_elsewhere(
    client: Client, products: dict[str, Product], address: str
) -> None:
    response = client.get(address)
    rules = policy(response)
    assert rules["default-src"] == "'none'"
    assert rules["script-src"] == rules["style-src"] == rules["connect-src"] == "'self'"
    assert rules["frame-ancestors"] == "'none'"
    html = response.content.decode()
    assert not re.search(r"<script(?![^>]*\bsrc=)", html)
    assert not re.search(r"<style|\sstyle=|\son\w+=", html)
    assert not re.search(r'(?:src|href)="(?:https?:)?//', html)


def test_the_admin_gets_what_it_needs_and_no_more(client: Client, db: None) -> None:
    rules = policy(client.get("/admin/login/"))
    assert rules["script-src"] == "'self' 'unsafe-inline' 'unsafe-eval'"
    assert rules["style-src"] == "'self' 'unsafe-inline'"
    assert rules["default-src"] == "'none'"


def test_the_documentation_of_the_api_too(client: Client) -> None:
    assert policy(client.get("/api/docs/"))["script-src"] == "'self' 'unsafe-inline'"


def test_a_form_from_elsewhere_is_refused(products: dict[str, Product]) -> None:
    stranger = Client(enforce_csrf_checks=True)
    for address in (reverse("cart_change", args=["MUG"]), reverse("checkout")):
        response = stranger.post(address, SHOPPER)
        assert response.status_code == 403
    assert "Nothing was changed or ordered" in response.content.decode()
    assert not Order.objects.exists()


def test_the_cart_cookie_is_out_of_reach_of_scripts(client: Client, products: dict[str, Product]) -> None:
    client.post(reverse("cart_change", args=["MUG"]))
    morsel = client.cookies[cookie.NAME]
    assert morsel["httponly"]
    assert morsel["samesite"] == "Lax"
