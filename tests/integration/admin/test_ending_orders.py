"""The desk's buttons for an order that stands still: its address, its cancellation, what came back, its money."""

import re
import uuid

import pytest
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import Permission, User
from django.test import Client
from django.urls import reverse

from orders import closing, inventory, scheduling
from orders.cancelling import cancel
from orders.models import Order, Payment, Refund, Shipment
from orders.payments import charging
from orders.redirecting import address_of
from orders.shipping import booking
from orders.states import OrderStatus
from orders.workflow import SIDE_BY_SIDE, Step, work_of
from tests.making import last_detail, place_order, stock
from workers import deadletters
from workers.models import DeadLetter

pytestmark = pytest.mark.django_db
LEEDS = {
    "name": "Ada Lovelace",
    "line1": "1 New Street",
    "line2": "",
    "city": "Leeds",
    "postcode": "LS1 1AA",
    "country": "GB",
}


def page_of(order: Order, action: str = "change") -> str:
    return reverse(f"admin:orders_order_{action}", args=[order.pk])


def letter_page(order: Order, action: str) -> str:
    letter = DeadLetter.objects.get(order=order, resolved_at=None)
    return reverse("admin:workers_deadletter_act", args=[letter.pk, action])


def paid(card: str | None = "pm_card_visa") -> Order:
    stock(KETTLE=10)
    order = place_order((("KETTLE", 2),), card=card)
    inventory.reserve([order.pk])
    charging.charge([order.pk])
    order.refresh_from_db()
    return order


@pytest.fixture
def refused() -> Order:
    """Paid and invoiced; the carrier answered 400 to its address, and a dead letter says so."""
    order = paid()
    Order.objects.update(city=" ")
    work_of(Step.INVOICE)([order.pk])
    [failure] = booking.book([order.pk]).failed
    deadletters.bury(Step.SHIP, {order.pk: failure.error})
    return Order.objects.get(pk=order.pk)


@pytest.fixture
def unanswered() -> Order:
    order = paid()
    Shipment.objects.create(order=order)
    deadletters.bury(Step.SHIP, {order.pk: RuntimeError("it never answers")})
    return Order.objects.get(pk=order.pk)


@pytest.fixture
def delivered_cash() -> Order:
    order = paid(card=None)
    for step in SIDE_BY_SIDE:
        work_of(step)([order.pk])
    closing.complete([order.pk])
    return Order.objects.get(pk=order.pk)


def test_a_bad_address_is_corrected_and_the_parcel_booked(operator: Client, refused: Order) -> None:
    form = operator.get(page_of(refused, "redirect")).content.decode()
    assert "12 St James" in form
    answer = operator.post(page_of(refused, "redirect"), LEEDS, follow=True).content.decode()
    assert "goes to the new address" in answer
    assert "1 New Street" in answer
    refused = Order.objects.get(pk=refused.pk)
    assert address_of(refused).city == "Leeds"
    assert last_detail(refused).endswith("to Ada Lovelace, 1 New Street, Leeds, LS1 1AA, GB")
    assert LogEntry.objects.get().get_change_message() == "Corrected the delivery address."
    operator.post(letter_page(refused, "replay"), {"why": "The address is right now."})
    booking.book([refused.pk])
    assert Shipment.objects.get().status == Shipment.Status.BOOKED


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"city": ""}, "This is empty."),
        ({"postcode": " "}, "This is empty."),
        ({"country": "XX"}, "ISO 3166-1"),
        ({"name": "x" * 121}, "121 characters"),
        ({"line1": "1 New\x07Street"}, "control character"),
    ],
)
def test_what_the_checkout_would_refuse_the_desk_is_refused_too(
    operator: Client, refused: Order, wrong: dict[str, str], words: str
) -> None:
    answer = operator.post(page_of(refused, "redirect"), {**LEEDS, **wrong})
    assert answer.status_code == 200
    assert words in answer.content.decode()
    assert address_of(Order.objects.get(pk=refused.pk)).city == " "


def test_the_same_address_again_changes_nothing(operator: Client, refused: Order) -> None:
    for _ in range(2):
        page = operator.post(page_of(refused, "redirect"), LEEDS, follow=True).content.decode()
    assert "goes to this address already" in page
    assert refused.events.filter(kind="order.redirected").count() == 1
    assert LogEntry.objects.count() == 1


def test_an_address_is_not_changed_once_a_parcel_is_booked(operator: Client) -> None:
    order = paid()
    assert page_of(order, "redirect") in operator.get(page_of(order)).content.decode()
    booking.book([order.pk])
    assert page_of(order, "redirect") not in operator.get(page_of(order)).content.decode()
    answer = operator.post(page_of(order, "redirect"), LEEDS)
    assert "The carrier has the parcel" in answer.content.decode()


def test_a_refused_parcel_is_cancelled_by_its_button(operator: Client, refused: Order) -> None:
    assert page_of(refused, "cancel") in operator.get(page_of(refused)).content.decode()
    page = operator.post(page_of(refused, "cancel"), follow=True).content.decode()
    assert f"Order {refused.number} is cancelled." in page
    assert Order.objects.get(pk=refused.pk).status == OrderStatus.CANCELLED
    assert set(refused.documents.values_list("kind", flat=True)) == {"invoice", "credit_note"}


def test_a_refused_parcel_is_discarded_together_with_its_order(operator: Client, refused: Order) -> None:
    said = {"why": "The customer rang.", "cancel_orders": "on"}
    page = operator.post(letter_page(refused, "discard"), said, follow=True).content.decode()
    assert f"Cancelled with them: {refused.number}." in page
    assert Order.objects.get(pk=refused.pk).status == OrderStatus.CANCELLED
    assert not DeadLetter.objects.filter(resolved_at=None).exists()


def test_its_buyer_may_cancel_it_too(client: Client, refused: Order) -> None:
    assert client.get(f"/api/orders/{refused.token}/").json()["cancellable"] is True
    assert client.post(reverse("order_cancel", args=[refused.token])).status_code == 303
    assert Order.objects.get(pk=refused.pk).status == OrderStatus.CANCELLED


def test_the_buyers_page_shows_the_corrected_address(
    client: Client, operator: Client, refused: Order
) -> None:
    operator.post(page_of(refused, "redirect"), LEEDS)
    assert "1 New Street" in client.get(refused.get_absolute_url()).content.decode()


def test_a_parcel_without_an_answer_is_cancelled_only_by_the_carriers_word(
    operator: Client, unanswered: Order
) -> None:
    form = operator.get(page_of(unanswered, "cancel")).content.decode()
    assert "I have asked the carrier" in form
    assert operator.post(page_of(unanswered, "cancel")).status_code == 200
    assert Order.objects.get(pk=unanswered.pk).status == OrderStatus.PAID
    operator.post(page_of(unanswered, "cancel"), {"carrier_has_nothing": "on"})
    assert Order.objects.get(pk=unanswered.pk).status == OrderStatus.CANCELLED
    assert LogEntry.objects.get().get_change_message() == "Cancelled; the carrier has no parcel of it."


def test_a_letter_that_is_kept_leads_to_the_orders_page(operator: Client, unanswered: Order) -> None:
    said = {"why": "No idea.", "cancel_orders": "on"}
    page = operator.post(letter_page(unanswered, "discard"), said, follow=True).content.decode()
    assert "or end the order on its own page" in page


def test_cash_on_delivery_is_taken_back(operator: Client, delivered_cash: Order) -> None:
    page = operator.get(page_of(delivered_cash)).content.decode()
    assert page_of(delivered_cash, "refund") in page
    assert "Take back…" in page
    said = {"key": str(uuid.uuid4()), "what": "whole", "reason": "Refused at the door.", "restock": "on"}
    page = operator.post(page_of(delivered_cash, "refund"), said).content.decode()
    assert "No money goes out: a credit note over £25.00" in page
    assert "go on the shelf again" in page
    hidden = dict(re.findall(r'<input type="hidden" name="([^"]+)" value="([^"]*)">', page))
    page = operator.post(page_of(delivered_cash, "refund"), hidden, follow=True).content.decode()
    assert "£25.00 of order" in page
    assert "no money goes out" in page
    assert Order.objects.get(pk=delivered_cash.pk).status == OrderStatus.REFUNDED
    assert Refund.objects.get().status == Refund.Status.MADE


def test_one_piece_of_it_is_taken_back(operator: Client, delivered_cash: Order) -> None:
    line = f"line_{delivered_cash.lines.get().pk}"
    said = {"key": str(uuid.uuid4()), "what": "pieces", line: "1", "reason": "One is broken."}
    page = operator.post(page_of(delivered_cash, "refund"), said).content.decode()
    hidden = dict(re.findall(r'<input type="hidden" name="([^"]+)" value="([^"]*)">', page))
    operator.post(page_of(delivered_cash, "refund"), hidden)
    assert Order.objects.get(pk=delivered_cash.pk).status == OrderStatus.COMPLETED
    assert Refund.objects.get().amount_minor == 1_250


def test_money_that_will_not_go_back_is_settled_by_its_button(operator: Client) -> None:
    order = paid()
    cancel(order.token)
    assert page_of(order, "settle") not in operator.get(page_of(order)).content.decode()
    deadletters.bury(Step.REFUND, {order.pk: RuntimeError("the account is closed")})
    assert page_of(order, "settle") in operator.get(page_of(order)).content.decode()
    assert "£25.00 count as given back" in operator.get(page_of(order, "settle")).content.decode()
    assert operator.post(page_of(order, "settle")).status_code == 200  # how, it asks
    for _ in range(2):
        operator.post(page_of(order, "settle"), {"how": "Bank transfer of 3 May."})
    assert Payment.objects.get().outside_minor == 2_500
    assert "Bank transfer of 3 May." in LogEntry.objects.get().get_change_message()
    assert "Given back another way" in operator.get(page_of(order)).content.decode()
    scheduling.close([order.pk])


@pytest.mark.parametrize("action", ["redirect", "settle"])
def test_who_may_only_look_changes_nothing(onlooker: Client, refused: Order, action: str) -> None:
    assert page_of(refused, action) not in onlooker.get(page_of(refused)).content.decode()
    assert onlooker.get(page_of(refused, action)).status_code == 403
    assert onlooker.post(page_of(refused, action), {**LEEDS, "how": "cash"}).status_code == 403


@pytest.mark.parametrize("action", ["redirect", "settle"])
def test_a_form_from_another_site_changes_nothing(admin_user: User, refused: Order, action: str) -> None:
    client = Client(enforce_csrf_checks=True)
    client.force_login(admin_user)
    assert client.post(page_of(refused, action), {**LEEDS, "how": "cash"}).status_code == 403


def test_giving_back_another_way_takes_the_right_to_refund(client: Client, refused: Order) -> None:
    clerk = User.objects.create_user("clerk", is_staff=True)
    clerk.user_permissions.set(Permission.objects.filter(codename__in=["view_order", "change_order"]))
    client.force_login(clerk)
    assert client.get(page_of(refused, "settle")).status_code == 403
