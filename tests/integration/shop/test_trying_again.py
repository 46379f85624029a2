"""An order that failed is tried again once, from however many screens: it knows its successor and shows it."""

from collections.abc import Callable

import pytest
from django.db import connection
from django.http import HttpResponse
from django.test import Client
from django.urls import reverse

from orders.models import Order, Payment, StockItem
from orders.models.successor import successor_of
from orders.states import OrderStatus
from shop.cart import cookie
from tests.integration.shop.conftest import SHOPPER
from tests.integration.shop.test_checkout import form_of, is_order_page
from tests.integration.shop.test_order_page import move, page
from tests.making import at_once

CHECKOUT = "/checkout/"
FAILED = [OrderStatus.PAYMENT_DECLINED, OrderStatus.OUT_OF_STOCK, OrderStatus.CANCELLED]


@pytest.fixture
def declined(order: Order) -> Order:
    move(order, OrderStatus.RESERVED, OrderStatus.PAYMENT_DECLINED, then="end")
    return order


def again(client: Client, order: Order) -> HttpResponse:
    return client.post(reverse("order_again", args=[order.token]))  # type: ignore[return-value]


def try_again(client: Client, order: Order) -> Order:
    """Press the button and pay once more."""
    again(client, order)
    client.post(CHECKOUT, form_of(client))
    found = successor_of(order)
    assert found
    return found


def test_the_button_is_gone_when_the_order_was_tried_again(client: Client, declined: Order) -> None:
    assert "Try another card" in page(client, declined)
    successor = try_again(client, declined)
    html = page(client, declined)
    assert "Try another card" not in html
    assert f'href="{successor.get_absolute_url()}"' in html
    assert f"order {successor.number} has taken its place" in html
    assert "You have not been charged for it." in html


@pytest.mark.parametrize("status", FAILED)
def test_a_button_that_is_still_on_a_screen_leads_to_the_successor(
    client: Client, order: Order, status: OrderStatus
) -> None:
    ways = {OrderStatus.OUT_OF_STOCK: [status]}
    move(order, *ways.get(status, [OrderStatus.RESERVED, status]), then="end")
    successor = try_again(client, order)
    stale = Client()
    assert is_order_page(again(stale, order), successor)
    assert cookie.NAME not in stale.cookies  # nothing is put into the cart a second time
    assert f"order {successor.number}" in stale.get(successor.get_absolute_url()).content.decode()
    assert Order.objects.count() == 2


def test_a_checkout_that_is_open_on_another_screen_charges_nothing(client: Client, declined: Order) -> None:
    telephone = Client()
    again(telephone, declined)
    form = form_of(telephone)
    successor = try_again(client, declined)
    assert is_order_page(telephone.post(CHECKOUT, form), successor)
    assert Payment.objects.count() == 2
    # Its cart is done too: nobody is led to pay for the same goods at the next visit.
    assert telephone.get(CHECKOUT)["Location"] == reverse("cart")


def test_a_cart_that_was_filled_on_another_screen_leads_to_the_successor(
    client: Client, declined: Order
) -> None:
    telephone = Client()
    again(telephone, declined)
    successor = try_again(client, declined)
    assert is_order_page(telephone.get(CHECKOUT), successor)


def test_a_successor_that_fails_is_tried_again_itself(client: Client, declined: Order) -> None:
    second = try_again(client, declined)
    move(second, OrderStatus.OUT_OF_STOCK, then="end")
    third = try_again(client, second)
    assert third.number in page(client, declined)
    assert third.number in page(client, second)
    assert is_order_page(again(client, declined), third)


def test_an_order_that_was_not_retried_takes_nobodys_place(
    client: Client, declined: Order, fill: Callable[..., None]
) -> None:
    fill(KETTLE=1)
    client.post(CHECKOUT, form_of(client))
    assert Order.objects.count() == 2
    assert successor_of(declined) is None
    assert "Try another card" in page(client, declined)


@pytest.mark.django_db(transaction=True)
def test_two_screens_that_pay_at_once_are_charged_once(order: Order) -> None:
    move(order, OrderStatus.RESERVED, OrderStatus.PAYMENT_DECLINED, then="end")
    screens = [Client() for _ in range(4)]
    forms = []
    for screen in screens:
        again(screen, order)
        forms.append(form_of(screen))

    answers = at_once(lambda number: screens[number].post(CHECKOUT, forms[number]), len(screens))

    connection.ensure_connection()
    successor = successor_of(order)
    assert successor
    assert all(is_order_page(answer, successor) for answer in answers)  # type: ignore[arg-type]
    assert Order.objects.count() == Payment.objects.count() == 2
    assert StockItem.objects.get(sku="KETTLE").on_hand == 50
    assert successor.email == SHOPPER["email"]
