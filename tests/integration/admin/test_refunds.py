"""Refunding in the admin: a form, a page that says what it will do, and one refund however often it is confirmed."""

import re

import pytest
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import Permission, User
from django.test import Client
from django.urls import reverse

from orders import scheduling
from orders.models import Order, Payment, Refund, Reversal, StockItem
from orders.states import OrderStatus
from tests.making import place_order, stock

pytestmark = pytest.mark.django_db


@pytest.fixture
def order() -> Order:
    """Completed and paid by card: 3 kettles and 2 mugs of 12.50."""
    stock(KETTLE=10, MUG=10)
    order = place_order((("KETTLE", 3), ("MUG", 2)))
    for source, target in (
        (OrderStatus.PLACED, OrderStatus.RESERVED),
        (OrderStatus.RESERVED, OrderStatus.PAID),
        (OrderStatus.PAID, OrderStatus.COMPLETED),
    ):
        scheduling.advance([order.pk], [source], target, then="end")
    Payment.objects.update(status="captured", captured_minor=6_250, reference="pi_1")
    order.refresh_from_db()
    return order


def page_of(order: Order, action: str = "refund") -> str:
    return reverse(f"admin:orders_order_{action}", args=[order.pk])


def filled_in(
    operator: Client, order: Order, what: str, pieces: dict[str, int], *, restock: bool = False
) -> dict[str, str]:
    """The form, with its own key, as a person fills it in."""
    page = operator.get(page_of(order)).content.decode()
    [key] = re.findall(r'name="key" value="([^"]+)"', page)
    lines = {f"line_{order.lines.get(sku=sku).pk}": str(count) for sku, count in pieces.items()}
    return {
        "key": key,
        "what": what,
        "reason": "It was broken.",
        **({"restock": "on"} if restock else {}),
        **lines,
    }


def hidden(page: str) -> dict[str, str]:
    return dict(re.findall(r'<input type="hidden" name="([^"]+)" value="([^"]*)">', page))


def test_the_orders_page_offers_it_while_something_is_left(operator: Client, order: Order) -> None:
    assert page_of(order) in operator.get(page_of(order, "change")).content.decode()
    Payment.objects.update(promised_minor=6_250)
    assert page_of(order) not in operator.get(page_of(order, "change")).content.decode()


def test_pieces_are_refunded_after_a_page_that_says_so(operator: Client, order: Order) -> None:
    asked = operator.post(page_of(order), filled_in(operator, order, "pieces", {"KETTLE": 2}))
    page = asked.content.decode()
    assert "£25.00 go back to the card of Ada Lovelace" in page
    assert "stays completed" in page
    assert "Nothing goes back on the shelf" in page
    assert not Refund.objects.exists()

    answer = operator.post(page_of(order), hidden(page))
    assert answer.status_code == 302
    made = Refund.objects.get()
    assert (made.amount_minor, made.whole, made.requested_by, made.reason) == (
        2_500,
        False,
        "admin",
        "It was broken.",
    )
    order.refresh_from_db()
    assert order.status == OrderStatus.COMPLETED
    assert order.due_at
    assert "It was broken." in LogEntry.objects.get().get_change_message()
    assert "£25.00" in operator.get(page_of(order, "change")).content.decode()


def test_the_whole_ends_the_order_and_goes_on_the_shelf(operator: Client, order: Order) -> None:
    before = StockItem.objects.get(sku="KETTLE").on_hand
    page = operator.post(
        page_of(order), filled_in(operator, order, "whole", {}, restock=True)
    ).content.decode()
    assert "ends as refunded" in page
    assert "go on the shelf again" in page
    operator.post(page_of(order), hidden(page))
    order.refresh_from_db()
    assert order.status == OrderStatus.REFUNDED
    assert StockItem.objects.get(sku="KETTLE").on_hand == before + 3


def test_confirming_twice_is_one_refund(operator: Client, order: Order) -> None:
    page = operator.post(page_of(order), filled_in(operator, order, "pieces", {"MUG": 1})).content.decode()
    for _ in range(2):
        assert operator.post(page_of(order), hidden(page)).status_code == 302
    assert Refund.objects.get().amount_minor == 1_250


@pytest.mark.parametrize("pieces", [{}, {"KETTLE": 0}, {"KETTLE": 4}, {"MUG": -1}])
def test_what_makes_no_sense_is_asked_again(operator: Client, order: Order, pieces: dict[str, int]) -> None:
    answer = operator.post(page_of(order), {**filled_in(operator, order, "pieces", pieces), "confirmed": "1"})
    assert answer.status_code == 200
    assert "Go on" in answer.content.decode()
    assert not Refund.objects.exists()


def test_a_get_refunds_nothing(operator: Client, order: Order) -> None:
    operator.get(page_of(order), {**filled_in(operator, order, "whole", {}), "confirmed": "1"})
    assert not Refund.objects.exists()


def test_what_cannot_be_refunded_says_why(operator: Client) -> None:
    order = place_order()
    answer = operator.get(page_of(order), follow=True)
    assert "only what was sent can be refunded" in answer.content.decode()


def test_it_takes_the_right_to_refund(client: Client, order: Order) -> None:
    clerk = User.objects.create_user("clerk", is_staff=True)
    clerk.user_permissions.set(Permission.objects.filter(codename__in=["view_order", "change_order"]))
    client.force_login(clerk)
    assert client.get(page_of(order)).status_code == 403
    assert page_of(order) not in client.get(page_of(order, "change")).content.decode()
    clerk.user_permissions.add(Permission.objects.get(codename="add_refund"))
    assert client.get(page_of(order)).status_code == 200


def test_an_order_that_is_disputed_is_not_refunded_and_says_why(operator: Client, order: Order) -> None:
    form = filled_in(operator, order, "whole", {})
    Reversal.objects.create(
        order=order, kind=Reversal.Kind.DISPUTE, reference="dp_1", amount_minor=2_500, status="open"
    )
    for answer in (
        operator.get(page_of(order), follow=True),
        operator.post(page_of(order), form, follow=True),
    ):
        page = answer.content.decode()
        assert "disputes £25.00 of order" in page
        assert "a refund now would pay twice" in page
    assert not Refund.objects.exists()
