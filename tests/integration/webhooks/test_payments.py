"""POST /webhooks/payments/: it rings for an order and believes nothing else."""

import hmac
import json
import logging
import time
from datetime import timedelta
from hashlib import sha256
from typing import Any

import pytest
from django.conf import settings
from django.db import connection
from django.http import HttpResponse
from django.test import Client
from django.utils import timezone

from orders.models import Order, Payment
from stack.ports import Ports
from tests.making import place_order

PATH = "/webhooks/payments/"


@pytest.fixture
def order(db: None) -> Order:
    """An order that waits for the buyer's bank; nobody is to look at it for an hour."""
    return _waiting_order()


def _waiting_order() -> Order:
    order = place_order(card="pm_card_threeDSecure2Required")
    Order.objects.filter(pk=order.pk).update(due_at=timezone.now() + timedelta(hours=1), attempts=3)
    Payment.objects.filter(order=order).update(reference="pi_1", status="requires_action")
    return order


def event(**intent: Any) -> bytes:
    return json.dumps({"type": "payment_intent.succeeded", "data": {"object": intent}}).encode()


def ring(body: bytes, *, secret: str | None = None, age: float = 0) -> HttpResponse:
    at = int(time.time() - age)
    key = (secret or settings.PAYMENTS_WEBHOOK_SECRET).encode()
    signature = hmac.new(key, f"{at}.".encode() + body, sha256).hexdigest()
    return Client(raise_request_exception=False).post(  # type: ignore[return-value]
        PATH, body, content_type="application/json", headers={"Stripe-Signature": f"t={at},v1={signature}"}
    )


def is_due(order: Order) -> bool:
    order.refresh_from_db()
    return order.due_at is not None and order.due_at <= timezone.now()


@pytest.mark.parametrize(
    "intent",
    [
        {"id": "pi_1"},
        {"id": "pi_1", "metadata": {"order": "nonsense"}},
        {"id": "pi_1", "metadata": None},
    ],
)
def test_it_finds_the_order_by_the_providers_id(order: Order, intent: dict[str, Any]) -> None:
    assert ring(event(**intent)).status_code == 200
    assert is_due(order)


def test_it_finds_the_order_by_its_number_before_the_id_is_noted(order: Order) -> None:
    Payment.objects.update(reference="")
    assert ring(event(id="pi_1", metadata={"order": order.number})).status_code == 200
    assert is_due(order)


def test_it_believes_nothing(order: Order) -> None:
    ring(event(id="pi_1", status="succeeded", amount_received=10**9))
    order.refresh_from_db()
    payment = Payment.objects.get()
    assert (order.status, payment.status, payment.captured_minor) == ("placed", "requires_action", 0)


def test_it_may_ring_twice(order: Order) -> None:
    assert [ring(event(id="pi_1")).status_code for _ in range(2)] == [200, 200]
    assert is_due(order)


@pytest.mark.parametrize(
    "body",
    [
        event(id="pi_unknown"),
        event(id=""),
        event(id=7, metadata={"order": ["S-100001"]}),
        event(id="pi\x001"),
        event(),
        b'{"data": []}',
        b"[]",
        b"null",
    ],
)
def test_what_it_does_not_know_is_received_and_logged(
    order: Order, body: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING, "shop.webhooks"):
        assert ring(body).status_code == 200
    assert "a payment that we do not know" in caplog.text
    assert not is_due(order)


def test_a_stranger_is_refused(order: Order) -> None:
    body = event(id="pi_1")
    refused = [
        ring(body, secret="a guess of the secret"),
        ring(body, age=301),
        Client().post(PATH, body, content_type="application/json"),
    ]
    for response in refused:
        assert isinstance(response, HttpResponse)
        assert response.status_code == 400
        assert response["Content-Type"] == "application/problem+json"
        assert json.loads(response.content)["type"].endswith("/api/problems/bad-signature/")
    assert not is_due(order)


def test_it_takes_json_by_post_alone(client: Client) -> None:
    assert client.get(PATH).status_code == 405
    assert ring(b"{").status_code == 400
    assert ring(b'"' + b"x" * 256 * 1024 + b'"').status_code == 413


@pytest.mark.django_db(transaction=True)
def test_a_report_that_reached_nobody_is_not_confirmed() -> None:
    """The provider comes again with what was not answered 2xx."""
    order = _waiting_order()
    port = connection.settings_dict["PORT"]
    connection.close()
    connection.settings_dict["PORT"] = Ports.free().postgres
    try:
        response = ring(event(id="pi_1"))
    finally:
        connection.close()
        connection.settings_dict["PORT"] = port
    assert response.status_code == 503
    assert "Retry-After" in response
    assert not is_due(order)
