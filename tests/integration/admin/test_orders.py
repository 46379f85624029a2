"""Orders in the admin: found by whatever a caller has at hand, read in full, changed by a confirmed POST alone."""

import re
from datetime import timedelta

import pytest
from django.contrib.admin.models import LogEntry
from django.test import Client
from django.urls import reverse
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries

from orders import scheduling
from orders.admin.base import CappedPaginator
from orders.admin.order import OrderAdmin
from orders.invoices import issuing
from orders.models import Document, Notification, Order, Shipment, Successor
from orders.states import OrderStatus
from orders.workflow import Step
from tests.making import kinds, place_order, stock
from workers import deadletters

pytestmark = pytest.mark.django_db
LIST = "/admin/orders/order/"


def page_of(order: Order, action: str = "change") -> str:
    return reverse(f"admin:orders_order_{action}", args=[order.pk])


def found(operator: Client, **query: str) -> set[str]:
    """The numbers of the orders that the list shows."""
    response = operator.get(LIST, query)
    assert response.status_code == 200
    return set(re.findall(r"S-\d+", response.content.decode()))


def paid_order() -> Order:
    order = place_order((("KETTLE", 2), ("BOOK", 1)))
    scheduling.advance([order.pk], [OrderStatus.PLACED], OrderStatus.RESERVED)
    scheduling.advance([order.pk], [OrderStatus.RESERVED], OrderStatus.PAID)
    order.refresh_from_db()
    return order


@pytest.mark.parametrize(
    "term",
    [
        "number",
        "bare number",
        "email",
        "upper email",
        "email of an order with capitals",
        "name",
        "sku",
        "token",
        "reference",
    ],
)
def test_an_order_is_found_by(operator: Client, term: str) -> None:
    stock(KETTLE=5, BOOK=5)
    order, other = place_order((("KETTLE", 1),)), place_order((("BOOK", 1),))
    Order.objects.filter(pk=order.pk).update(email="grace@example.com", name="Grace Hopper")
    if "capitals" in term:
        Order.objects.filter(pk=order.pk).update(email="Grace@Example.com")
    order.payment.reference = "pi_17"
    order.payment.save(update_fields=["reference"])
    terms = {
        "number": order.number,
        "bare number": str(order.pk + 100_000),
        "email": "grace@example.com",
        "upper email": "Grace@Example.com",
        "email of an order with capitals": "grace@example.com",
        "name": "hopper",
        "sku": "kettle",
        "token": order.token,
        "reference": "pi_17",
    }
    assert found(operator, q=terms[term]) == {order.number}
    assert found(operator) == {order.number, other.number}


def test_the_list_can_be_narrowed_by_progress(operator: Client) -> None:
    due, under_way, waiting, set_aside, ended = (place_order() for _ in range(5))
    later = timezone.now() + timedelta(hours=1)
    Order.objects.filter(pk=under_way.pk).update(due_at=later, attempts=1)
    Order.objects.filter(pk=waiting.pk).update(due_at=later)
    deadletters.bury(Step.SHIP, {set_aside.pk: ConnectionError("carrier is away")})
    scheduling.close([ended.pk])
    assert found(operator, stands="due") == {due.number}
    assert found(operator, stands="under_way") == {under_way.number}
    assert found(operator, stands="waiting") == {waiting.number}
    assert found(operator, stands="set_aside") == found(operator, dead="open") == {set_aside.number}
    assert found(operator, stands="ended") == {ended.number}
    assert found(operator, status__exact="placed", payment_method__exact="cod") == set()


def test_a_state_without_a_colour_is_shown_by_its_name(operator: Client) -> None:
    order = place_order()
    Order.objects.update(status="cancelled", due_at=None, ended_at=timezone.now())
    page = operator.get(LIST).content.decode()
    [row] = [row for row in page.split("<tr")[1:] if order.number in row]
    assert "Cancelled" in row
    assert "Ended" in row


def test_a_long_list_is_not_counted_to_its_end(operator: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(CappedPaginator, "CAP", 2)
    monkeypatch.setattr(OrderAdmin, "list_per_page", 1)
    _, older, newest = (place_order() for _ in range(3))
    assert found(operator) == {newest.number}
    assert found(operator, p="2") == {older.number}
    assert operator.get(LIST, {"p": "3"}).status_code == 302


def test_the_page_shows_all_there_is(
    operator: Client, django_assert_max_num_queries: DjangoAssertNumQueries
) -> None:
    order = paid_order()
    issuing.issue([order.pk])
    Notification.objects.create(
        order=order, channel="email", kind="confirmation", status="sent", sent_at=timezone.now()
    )
    Shipment.objects.create(
        order=order,
        status="booked",
        carrier="Pony",
        tracking_number="PX17",
        tracking_url="http://carrier.example/PX17",
    )
    deadletters.bury(Step.SMS, {order.pk: ConnectionError("gateway is away")})
    order = Order.objects.get(pk=order.pk)
    with django_assert_max_num_queries(18):
        page = operator.get(page_of(order)).content.decode()
    for piece in (
        order.number,
        "Ada Lovelace",
        "£37.50",
        "A kettle",
        "pm_card_visa",
        "Order confirmation",
        "http://carrier.example/PX17",
        Document.objects.get().number,
        reverse("admin:orders_order_document", args=[order.pk, Document.objects.get().number]),
        "Payment received",
        "gateway is away",
    ):
        assert piece in page, piece


def test_an_order_that_was_tried_again_leads_to_the_other_and_back(operator: Client) -> None:
    failed, other = paid_order(), place_order()
    Successor.objects.create(failed=failed, order=other)
    assert f'href="{page_of(other)}">{other.number}' in operator.get(page_of(failed)).content.decode()
    assert f'href="{page_of(failed)}">{failed.number}' in operator.get(page_of(other)).content.decode()


def test_a_page_of_a_thousand_lines_asks_no_more_of_the_database(
    operator: Client, django_assert_max_num_queries: DjangoAssertNumQueries
) -> None:
    order = place_order([(f"SKU-{number}", 1) for number in range(1_000)])
    with django_assert_max_num_queries(16):
        assert operator.get(page_of(order)).content.count(b"SKU-") == 1_000


def test_facts_are_neither_edited_nor_deleted_nor_added(operator: Client) -> None:
    order = place_order()
    operator.post(page_of(order), {"total_minor": 1, "email": "mallory@example.com", "status": "completed"})
    assert operator.post(page_of(order, "delete"), {"post": "yes"}).status_code == 403
    assert operator.get(reverse("admin:orders_order_add")).status_code == 403
    again = Order.objects.get(pk=order.pk)
    assert (again.email, again.total_minor, again.status) == (order.email, order.total_minor, order.status)


def test_cancelling_asks_first_and_cancels_by_post(operator: Client) -> None:
    order = place_order()
    address = page_of(order, "cancel")
    assert address in operator.get(page_of(order)).content.decode()
    assert "Cancel the order" in operator.get(address).content.decode()
    assert Order.objects.get(pk=order.pk).status == OrderStatus.PLACED
    assert operator.post(address).status_code == 302
    order.refresh_from_db()
    assert order.status == OrderStatus.CANCELLED
    assert order.events.get(kind="order.cancelled").detail == "Cancelled by the shop."
    assert LogEntry.objects.get().get_change_message() == "Cancelled."
    assert address not in operator.get(page_of(order)).content.decode()


def test_an_order_with_the_carrier_is_not_cancelled_and_says_why(operator: Client) -> None:
    order = paid_order()
    Shipment.objects.create(order=order, status="booked")
    page = operator.post(page_of(order, "cancel"), follow=True).content.decode()
    assert "already with the carrier" in page
    assert Order.objects.get(pk=order.pk).status == OrderStatus.PAID


def test_driving_again_makes_the_order_due(operator: Client) -> None:
    order = place_order()
    Order.objects.filter(pk=order.pk).update(due_at=timezone.now() + timedelta(hours=1), attempts=2)
    operator.get(page_of(order, "drive"))
    assert Order.objects.get(pk=order.pk).attempts == 2
    operator.post(page_of(order, "drive"))
    order.refresh_from_db()
    assert order.due_at is not None
    assert order.due_at <= timezone.now()
    assert order.attempts == 0
    assert kinds(order) == ["order.placed"]


@pytest.mark.parametrize("action", ["cancel", "drive"])
def test_who_may_only_look_changes_nothing(onlooker: Client, action: str) -> None:
    order = place_order()
    assert page_of(order, action) not in onlooker.get(page_of(order)).content.decode()
    assert onlooker.get(page_of(order, action)).status_code == 403
    assert onlooker.post(page_of(order, action)).status_code == 403
    assert Order.objects.get(pk=order.pk).status == OrderStatus.PLACED


@pytest.mark.parametrize("action", ["cancel", "drive"])
def test_a_form_from_another_site_changes_nothing(admin_user: object, action: str) -> None:
    order = place_order()
    client = Client(enforce_csrf_checks=True)
    client.force_login(admin_user)  # type: ignore[arg-type]
    assert client.post(page_of(order, action)).status_code == 403


def test_what_is_not_there_is_not_found(operator: Client) -> None:
    assert operator.get("/admin/orders/order/999999999/change/").status_code == 404
    assert operator.get("/admin/orders/order/nonsense/change/").status_code == 404
