"""The order's page: what it tells in each state, what can be done there, and that its address stays
private."""

import re
from collections.abc import Callable

import pytest
from django.test import Client
from django.urls import reverse
from pytest_django import DjangoAssertNumQueries

from orders.links import invoice_url, order_path
from orders.models import Document, Order, OrderEvent, Payment, Shipment
from orders.scheduling import advance
from orders.states import EventKind, OrderStatus
from shop.cart import cookie

HTMX = {"HX-Request": "true"}


def move(order: Order, *way: OrderStatus, detail: str = "", then: str = "now") -> None:
    for target in way:
        order.refresh_from_db()
        assert advance({order.pk: detail}, [OrderStatus(order.status)], target, then=then) == [order.pk]
    order.refresh_from_db()


def page(client: Client, order: Order) -> str:
    return client.get(order.get_absolute_url()).content.decode()


def steps(html: str) -> list[tuple[str, str]]:
    found = re.findall(r'<li class="(\w+)"[^>]*>.*?<span class="name[^"]*">([^<]+)', html, re.DOTALL)
    return [(name, state) for state, name in found]


def test_links_of_the_mails_lead_here(order: Order) -> None:
    assert order_path(order.token) == reverse("order", args=[order.token])
    assert invoice_url(order.token).endswith(reverse("invoice", args=[order.token]))


def test_it_tells_what_was_ordered_and_where_it_goes(client: Client, order: Order) -> None:
    html = page(client, order)
    for told in (
        order.number,
        "Cast iron kettle",
        "£49.99",
        "£8.33",
        "Ada Lovelace",
        "SW1Y",
        "Visa ending 4242",
    ):
        assert told in html


def test_its_address_is_kept_private(client: Client, order: Order) -> None:
    for name in ("order", "order_progress"):
        response = client.get(reverse(name, args=[order.token]))
        assert response["X-Robots-Tag"] == "noindex, nofollow"
        assert response["Referrer-Policy"] == "same-origin"
        assert "no-store" in response["Cache-Control"]


@pytest.mark.parametrize("name", ["order", "order_progress", "invoice"])
def test_an_unknown_token_is_not_found(client: Client, order: Order, name: str) -> None:
    assert client.get(reverse(name, args=["not-a-token"])).status_code == 404
    assert client.get(reverse(name, args=[order.token.swapcase()])).status_code == 404


def test_the_steps_advance(client: Client, order: Order) -> None:
    waiting = [("Paid", "waiting"), ("Shipped", "waiting"), ("Completed", "waiting")]
    assert steps(page(client, order)) == [("Placed", "done"), ("Stock reserved", "current"), *waiting]
    move(order, OrderStatus.RESERVED)
    assert steps(page(client, order))[:3] == [
        ("Placed", "done"),
        ("Stock reserved", "done"),
        ("Paid", "current"),
    ]
    move(order, OrderStatus.PAID)
    OrderEvent.objects.create(order=order, kind=EventKind.SHIPPED)
    move(order, OrderStatus.COMPLETED, then="end")
    html = page(client, order)
    assert [state for _, state in steps(html)] == ["done"] * 5
    assert "sse-connect" not in html
    assert "http-equiv" not in html


def test_cash_on_delivery_is_not_paid_on_the_way(client: Client, order: Order) -> None:
    Order.objects.filter(pk=order.pk).update(payment_method="cod")
    assert [name for name, _ in steps(page(client, order))] == [
        "Placed",
        "Stock reserved",
        "Shipped",
        "Completed",
    ]


def test_without_javascript_it_reloads_until_the_end(client: Client, order: Order) -> None:
    assert '<noscript><meta http-equiv="refresh" content="3"></noscript>' in page(client, order)


def test_the_fragment_comes_only_when_something_changed(client: Client, order: Order) -> None:
    address = reverse("order_progress", args=[order.token])

    def seen(html: str) -> str:
        found = re.search(r'name="seen" value="([^"]+)"', html)
        assert found
        return found[1]

    first = seen(page(client, order))
    assert client.get(address, {"seen": first}, headers=HTMX).status_code == 204
    move(order, OrderStatus.RESERVED)
    changed = client.get(address, {"seen": first}, headers=HTMX)
    html = changed.content.decode()
    assert changed.status_code == 200
    assert "Your goods are set aside" in html
    assert 'id="live"' not in html  # the stream stays as it is
    assert client.get(address, {"seen": seen(html)}, headers=HTMX).status_code == 204


def test_the_last_fragment_takes_the_stream_away(client: Client, order: Order) -> None:
    move(order, OrderStatus.RESERVED, OrderStatus.PAID, OrderStatus.COMPLETED, then="end")
    html = client.get(reverse("order_progress", args=[order.token]), headers=HTMX).content.decode()
    assert '<div id="live" hx-swap-oob="true"></div>' in html


def test_the_bank_is_one_click_away(client: Client, order: Order) -> None:
    bank = "https://bank.example/3ds/pi_1"
    move(order, OrderStatus.RESERVED)
    Payment.objects.filter(order=order).update(action_url=bank)
    assert bank not in page(client, order)  # not yet, or not any more
    move(order, OrderStatus.AWAITING_PAYMENT)
    html = page(client, order)
    assert f'href="{bank}" rel="noreferrer"' in html
    assert ("Waiting for your bank", "current") in steps(html)


@pytest.mark.parametrize(
    ("way", "last", "told"),
    [
        ([OrderStatus.OUT_OF_STOCK], "Out of stock", "You have not been charged"),
        (
            [OrderStatus.RESERVED, OrderStatus.PAYMENT_DECLINED],
            "Payment declined",
            "You have not been charged",
        ),
        ([OrderStatus.RESERVED, OrderStatus.CANCELLED], "Cancelled", "Nothing will be sent"),
    ],
)
def test_an_end_without_the_goods_is_told_with_its_reason(
    client: Client, order: Order, way: list[OrderStatus], last: str, told: str
) -> None:
    move(order, *way, detail="The reason why.", then="end")
    html = page(client, order)
    assert steps(html)[-1] == (last, "failed")
    assert told in html
    assert "The reason why." in html
    assert reverse("order_cancel", args=[order.token]) not in html
    assert reverse("order_again", args=[order.token]) in html


def test_an_order_set_aside_says_that_it_is_looked_after(client: Client, order: Order) -> None:
    OrderEvent.objects.create(order=order, kind=EventKind.DEAD_LETTERED)
    assert "please do not order again" in page(client, order)


def test_tracking_and_invoice_are_linked_when_there_are_any(client: Client, order: Order) -> None:
    invoice = reverse("invoice", args=[order.token])
    assert invoice not in page(client, order)
    assert client.get(invoice).status_code == 404
    move(order, OrderStatus.RESERVED, OrderStatus.PAID)
    Document.objects.create(order=order, kind=Document.Kind.INVOICE, serial=17, seller="Stampede")
    Shipment.objects.create(order=order, tracking_url="https://carrier.example/T1", tracking_number="T1")
    html = page(client, order)
    assert "https://carrier.example/T1" in html
    assert invoice in html
    response = client.get(invoice, follow=True)
    assert response["Content-Type"] == "application/pdf"
    assert 'filename="INV-0000017.pdf"' in response["Content-Disposition"]
    assert b"".join(response).startswith(b"%PDF-")


def test_cancelling(client: Client, order: Order) -> None:
    cancel = reverse("order_cancel", args=[order.token])
    assert cancel in page(client, order)
    assert client.get(cancel).status_code == 405
    for _ in range(2):  # the second changes nothing
        response = client.post(cancel)
        assert (response.status_code, response["Location"]) == (303, order.get_absolute_url())
    order.refresh_from_db()
    assert order.status == OrderStatus.CANCELLED
    assert order.events.filter(kind=EventKind.CANCELLED).count() == 1


def test_cancelling_too_late_says_why(client: Client, order: Order) -> None:
    move(order, OrderStatus.RESERVED, OrderStatus.PAID)
    Shipment.objects.create(order=order, status="booked")
    response = client.post(reverse("order_cancel", args=[order.token]), follow=True)
    assert "already with the carrier" in response.content.decode()
    order.refresh_from_db()
    assert order.status == OrderStatus.PAID


def test_after_a_declined_card_nothing_has_to_be_typed_twice(
    client: Client, order: Order, fill: Callable[..., None]
) -> None:
    move(order, OrderStatus.RESERVED, OrderStatus.PAYMENT_DECLINED, then="end")
    fill(MUG=1)
    response = client.post(reverse("order_again", args=[order.token]))
    assert (response.status_code, response["Location"]) == (303, reverse("checkout"))
    checkout = client.get(reverse("checkout"))
    in_cart = {line.product.sku: line.quantity for line in checkout.context["cart"].lines}
    assert in_cart == {"MUG": 1, "KETTLE": 1}
    assert 'value="Ada Lovelace"' in checkout.content.decode()


def test_only_a_failed_order_can_be_put_back_into_the_cart(client: Client, order: Order) -> None:
    assert client.post(reverse("order_again", args=[order.token])).status_code == 404
    assert cookie.NAME not in client.cookies


@pytest.mark.parametrize("booked", [False, True])
@pytest.mark.parametrize(
    "way",
    [
        (),
        (OrderStatus.RESERVED, OrderStatus.PAID),
        (OrderStatus.RESERVED, OrderStatus.PAID, OrderStatus.COMPLETED),
    ],
)
def test_the_part_that_changes_is_read_by_one_statement(
    client: Client,
    order: Order,
    way: tuple[OrderStatus, ...],
    booked: bool,
    django_assert_num_queries: DjangoAssertNumQueries,
) -> None:
    """A crowd that has ordered looks on: each page asks every five seconds. Our own statements are not counted here."""
    move(order, *way)
    if booked:
        Shipment.objects.create(
            order=order, status="booked", tracking_number="T-1", booked_at=order.placed_at
        )
    with django_assert_num_queries(0):
        assert client.get(reverse("order_progress", args=[order.token])).status_code == 200
    client.get(order.get_absolute_url())  # the menu is in the cache from here on
    with django_assert_num_queries(1):  # the lines
        client.get(order.get_absolute_url())
