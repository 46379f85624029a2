"""`retry_of`: a failed order is tried again once, and then names the order that took its place."""

import json
from typing import Any

import pytest
from django.http import HttpResponse

from orders.models import Order
from orders.scheduling import advance
from orders.states import OrderStatus
from tests.integration.api.conftest import Api, problem
from tests.making import at_once

pytestmark = pytest.mark.usefixtures("shop")


def failed_order(api: Api, body: dict[str, Any]) -> str:
    token: str = json.loads(api.order(body).content)["token"]
    order = Order.objects.get(token=token)
    advance([order.pk], [OrderStatus.PLACED], OrderStatus.RESERVED)
    advance([order.pk], [OrderStatus.RESERVED], OrderStatus.PAYMENT_DECLINED, then="end")
    return token


def successor(api: Api, token: str) -> Any:
    return json.loads(api.get(f"/api/orders/{token}/").content)["successor"]


def test_the_failed_order_names_its_successor(api: Api, body: dict[str, Any]) -> None:
    token = failed_order(api, body)
    assert successor(api, token) is None
    placed = json.loads(api.order({**body, "retry_of": token}).content)
    assert successor(api, token) == {name: placed[name] for name in ("number", "token", "url")}
    assert successor(api, placed["token"]) is None


def test_a_second_retry_is_refused_and_names_the_first(api: Api, body: dict[str, Any]) -> None:
    token = failed_order(api, body)
    first = api.order({**body, "retry_of": token}, key="first")
    found = problem(api.order({**body, "retry_of": token}, key="second"), 409)
    assert found["type"].endswith("/api/problems/order-already-retried/")
    assert json.loads(first.content)["url"] in found["detail"]
    # A repeat of the first is no second one.
    assert api.order({**body, "retry_of": token}, key="first").content == first.content
    assert Order.objects.count() == 2


@pytest.mark.parametrize("token", ["nobody-has-it", "", "\x00", "a" * 33, "caf\u00e9", "a/b"])
def test_what_is_no_failed_order_cannot_be_tried_again(api: Api, body: dict[str, Any], token: str) -> None:
    found = problem(api.order({**body, "retry_of": token}), 400)
    assert list(found["errors"]) == ["retry_of"]
    assert Order.objects.count() == 0


def test_an_order_that_goes_on_cannot_be_tried_again(api: Api, body: dict[str, Any]) -> None:
    token = json.loads(api.order(body).content)["token"]
    found = problem(api.order({**body, "retry_of": token}), 400)
    assert "did not fail: it is placed." in found["errors"]["retry_of"][0]


@pytest.mark.django_db(transaction=True)
def test_of_many_retries_at_once_one_is_placed(body: dict[str, Any]) -> None:
    token = failed_order(Api(), body)
    answers = at_once(lambda number: Api().order({**body, "retry_of": token}, key=f"key-{number}"), 8)
    statuses = [answer.status_code for answer in answers if isinstance(answer, HttpResponse)]
    assert sorted(statuses) == [201, *[409] * 7]
    assert Order.objects.count() == 2
