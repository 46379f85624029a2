"""One browser sends several requests at once, and none of them undoes what another did to the cart."""

import re
from collections.abc import Callable
from contextlib import nullcontext
from html import unescape
from typing import Any

import pytest
from django.http import HttpResponse
from django.shortcuts import render
from django.test import Client
from django.urls import reverse

from orders import unpaid
from orders.models import Order
from orders.placing import OrderDraft, Placed, place
from shop.cart import cookie, keeping
from shop.cart.models import Cart, CartLine
from tests.integration.shop.conftest import SHOPPER, stock_shop
from tests.making import at_once

pytestmark = pytest.mark.django_db(transaction=True)

FROM_OUR_PAGE = {"Sec-Fetch-Site": "same-origin"}
Tab = Callable[[], Client]


@pytest.fixture
def tab() -> Tab:
    """Another tab of one browser that has looked at a page of the shop, and has no cart yet."""
    stock_shop()

    def _tab() -> Client:
        another = Client(enforce_csrf_checks=True, headers=FROM_OUR_PAGE)
        another.cookies[cookie.VISITOR] = "5e" * 16  # nginx gives it out with the page
        if Cart.objects.exists():
            another.cookies[cookie.NAME] = Cart.objects.get().token
        return another

    return _tab


def add(client: Client, sku: str, quantity: int = 1) -> int:
    return client.post(
        reverse("cart_change", args=[sku]),
        {"quantity": quantity},
    ).status_code


def in_cart() -> dict[str, int]:
    assert Cart.objects.count() == 1
    return dict(CartLine.objects.values_list("sku", "quantity"))


def many(tab: Tab, times: int = 12) -> None:
    """Add two products by turns, from as many tabs at once, and half of it twice."""
    tabs = [tab() for _ in range(times)]
    answers = at_once(lambda number: add(tabs[number], ("KETTLE", "BOOK")[number % 2]), times)
    assert answers == [303] * times


def test_the_first_products_of_a_visitor_come_into_one_cart(tab: Tab) -> None:
    many(tab)
    assert in_cart() == {"KETTLE": 6, "BOOK": 6}


def test_no_addition_is_lost_beside_changes_and_removals(tab: Tab) -> None:
    add(tab(), "MUG")
    tabs = [tab() for _ in range(9)]

    def act(number: int) -> int:
        if number == 8:
            return (
                tabs[8]
                .post(
                    reverse("cart_change", args=["MUG"]),
                    {"set": "1", "quantity": "0"},
                )
                .status_code
            )
        return add(tabs[number], "KETTLE", 2)

    at_once(act, 9)
    assert in_cart() == {"KETTLE": 16}


def test_without_its_lock_the_cart_loses_additions(tab: Tab, monkeypatch: pytest.MonkeyPatch) -> None:
    """What the lock is there for: it lasts as long as the transaction."""
    add(tab(), "KETTLE")
    monkeypatch.setattr("shop.cart.keeping.transaction.atomic", nullcontext)
    lost = 0
    for _ in range(20):
        CartLine.objects.update(quantity=1)
        at_once(lambda _: keeping.add(Cart.objects.get().token, "KETTLE", 1), 8)
        lost += 9 - in_cart()["KETTLE"]
        if lost:
            return
    pytest.fail("no addition was lost without the lock")


def test_a_checkout_page_that_is_slow_undoes_nothing(tab: Tab, monkeypatch: pytest.MonkeyPatch) -> None:
    add(tab(), "KETTLE")
    shopper = tab()

    def slowly(*arguments: Any, **named: Any) -> HttpResponse:
        add(tab(), "BOOK", 2)
        return render(*arguments, **named)

    monkeypatch.setattr("shop.pages.checkout.render", slowly)
    response = shopper.get(reverse("checkout"))
    assert response.status_code == 200
    assert in_cart() == {"KETTLE": 1, "BOOK": 2}


def test_what_is_added_while_the_order_is_placed_stays_in_the_cart(
    tab: Tab, monkeypatch: pytest.MonkeyPatch
) -> None:
    add(tab(), "KETTLE", 2)
    shopper = tab()
    form = form_of(shopper)

    def slowly(draft: OrderDraft, *, wait: bool) -> Placed:
        placed = place(draft, wait=wait)
        add(tab(), "KETTLE", 3)
        add(tab(), "BOOK")
        return placed

    monkeypatch.setattr(unpaid, "place", slowly)
    assert shopper.post(reverse("checkout"), form).status_code == 303
    order = Order.objects.get()
    assert [(line.sku, line.quantity) for line in order.lines.all()] == [("KETTLE", 2)]
    assert in_cart() == {"KETTLE": 3, "BOOK": 1}
    assert shopper.get(reverse("checkout")).status_code == 200, "the rest is a checkout of its own"


def test_ten_answers_to_one_order_take_its_goods_out_once(tab: Tab, monkeypatch: pytest.MonkeyPatch) -> None:
    add(tab(), "KETTLE", 2)
    form = form_of(tab())

    def slowly(draft: OrderDraft, *, wait: bool) -> Placed:
        placed = place(draft, wait=wait)
        if placed.created:
            add(tab(), "KETTLE", 3)
        return placed

    monkeypatch.setattr(unpaid, "place", slowly)
    tabs = [tab() for _ in range(10)]
    at_once(lambda number: tabs[number].post(reverse("checkout"), form), 10)
    assert Order.objects.count() == 1
    assert in_cart() == {"KETTLE": 3}


def form_of(client: Client) -> dict[str, str]:
    page = client.get(reverse("checkout")).content.decode()
    ticket = re.search(r'name="ticket" value="([^"]+)"', page)
    assert ticket
    return {
        **SHOPPER,
        "ticket": unescape(ticket[1]),
        "csrfmiddlewaretoken": client.cookies["csrftoken"].value,
    }
