"""GET /api/orders/{token}/ and its cancellation."""

import json
from typing import Any

import pytest
from django.conf import settings
from django.utils import timezone

from orders import scheduling
from orders.models import Document, Order, OrderEvent, Payment, Shipment
from orders.states import EventKind, OrderStatus
from tests.integration.api.conftest import KETTLE, MUG, Api, problem

pytestmark = pytest.mark.usefixtures("shop")


@pytest.fixture
def order(api: Api, body: dict[str, Any]) -> Order:
    return Order.objects.get(token=json.loads(api.order(body).content)["token"])


def _follow(api: Api, order: Order) -> dict[str, Any]:
    response = api.get(f"/api/orders/{order.token}/")
    assert response.status_code == 200, response.content
    assert response["Cache-Control"] == "no-store"
    answer: dict[str, Any] = json.loads(response.content)
    return answer


def test_a_fresh_order(api: Api, order: Order) -> None:
    found = _follow(api, order)
    assert (found["number"], found["token"], found["status"]) == (order.number, order.token, "placed")
    assert (found["total"], found["tax"], found["currency"]) == (KETTLE + 2 * MUG, 1250, "GBP")
    assert found["lines"] == [
        {
            "sku": "KETTLE",
            "name": "Cast iron kettle",
            "quantity": 1,
            "unit_price": KETTLE,
            "total": KETTLE,
            "tax": 833,
            "tax_rate_bp": 2000,
        },
        {
            "sku": "MUG",
            "name": "Enamel mug",
            "quantity": 2,
            "unit_price": MUG,
            "total": 2 * MUG,
            "tax": 417,
            "tax_rate_bp": 2000,
        },
    ]
    assert found["payment"]["status"] == "pending"
    assert found["shipment"] is None
    assert found["documents"] == []
    assert [event["kind"] for event in found["timeline"]] == ["order.placed"]
    assert found["cancellable"] is True
    assert found["ended_at"] is None


def test_who_ordered_is_not_told(api: Api, order: Order) -> None:
    told = json.dumps(_follow(api, order))
    for private in (order.email, order.phone, order.name, order.line1, order.postcode, "pm_card_visa"):
        assert private not in told


def test_an_order_that_went_all_the_way(api: Api, order: Order) -> None:
    Payment.objects.filter(order=order).update(status="captured", captured_minor=order.total_minor)
    Shipment.objects.create(
        order=order,
        status="booked",
        carrier="Parcel Post",
        tracking_number="PP1",
        tracking_url="https://carrier.example/PP1",
        booked_at=timezone.now(),
    )
    Document.objects.create(order=order, kind="invoice", serial=17, seller="Stampede")
    scheduling.advance([order.pk], [OrderStatus.PLACED], OrderStatus.RESERVED)
    found = _follow(api, order)
    assert found["payment"] == {
        "method": "card",
        "status": "captured",
        "captured": order.total_minor,
        "refunded": 0,
        "action_url": None,
        "reason": None,
    }
    assert found["shipment"]["tracking_number"] == "PP1"
    assert found["documents"][0]["number"] == "INV-0000017"
    assert found["documents"][0]["url"] == f"{settings.SHOP_URL}/orders/{order.token}/invoice.pdf"
    assert [event["label"] for event in found["timeline"]] == ["Order placed", "Stock reserved"]
    assert found["cancellable"] is False


def test_a_payment_that_waits_for_the_buyer_says_where(api: Api, order: Order) -> None:
    url = "https://bank.example/3ds/1"
    Payment.objects.filter(order=order).update(status="requires_action", action_url=url)
    assert _follow(api, order)["payment"]["action_url"] == url


def test_a_declined_payment_says_why_and_an_unsure_one_does_not(api: Api, order: Order) -> None:
    Payment.objects.filter(order=order).update(status="requested", reason="ConnectionResetError in http.py")
    assert _follow(api, order)["payment"]["reason"] is None
    Payment.objects.filter(order=order).update(status="declined", reason="Your card was declined.")
    assert _follow(api, order)["payment"]["reason"] == "Your card was declined."


def test_what_is_for_staff_is_not_told(api: Api, order: Order) -> None:
    OrderEvent.objects.create(order=order, kind=EventKind.DEAD_LETTERED, detail="KeyError in charging.py")
    *_, event = _follow(api, order)["timeline"]
    assert (event["kind"], event["detail"]) == ("order.dead_lettered", "")


def test_cash_on_delivery(api: Api, body: dict[str, Any]) -> None:
    body["payment"] = {"method": "cod"}
    token = json.loads(api.order(body).content)["token"]
    payment = json.loads(api.get(f"/api/orders/{token}/").content)["payment"]
    assert (payment["method"], payment["status"], payment["captured"]) == ("cod", None, 0)


def test_following_takes_four_queries_however_long_the_order_is(
    api: Api, order: Order, django_assert_num_queries: Any
) -> None:
    with django_assert_num_queries(4):
        _follow(api, order)


class TestCancelling:
    @pytest.fixture(params=[None, {}, {"reason": "changed my mind"}])
    def cancel_body(self, request: pytest.FixtureRequest) -> Any:
        return request.param

    def test_an_order_is_cancelled_once(self, api: Api, order: Order, cancel_body: Any) -> None:
        first = api.post(f"/api/orders/{order.token}/cancel/", cancel_body)
        again = api.post(f"/api/orders/{order.token}/cancel/", cancel_body)
        assert first.status_code == again.status_code == 200
        found = json.loads(again.content)
        assert (found["status"], found["cancellable"]) == ("cancelled", False)
        assert [event["kind"] for event in found["timeline"]] == ["order.placed", "order.cancelled"]

    def test_not_when_it_is_with_the_carrier(self, api: Api, order: Order) -> None:
        Shipment.objects.create(order=order)
        found = problem(api.post(f"/api/orders/{order.token}/cancel/"), 409)
        assert found["type"].endswith("/api/problems/order-not-cancellable/")
        assert "carrier" in found["detail"]
        order.refresh_from_db()
        assert order.status == OrderStatus.PLACED

    def test_not_without_its_token(self, api: Api, order: Order) -> None:
        problem(api.post("/api/orders/unknown/cancel/"), 404)
        problem(api.post(f"/api/orders/{order.number}/cancel/"), 404)
