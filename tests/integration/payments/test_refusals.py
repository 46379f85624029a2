"""What Stripe refuses: a decline with its reason where the shopper can mend it, a dead letter only for a bug of ours.

localstripe knows none of these refusals, so a server on this machine gives Stripe's answers word for word.
"""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any
from urllib.parse import parse_qs

import pytest
from pytest_django import Settings

from orders import closing, inventory
from orders.models import Order, Payment, StockItem
from orders.payments import charging
from orders.payments.gateway import gateway
from orders.placing import place
from orders.providers.failures import Refused
from orders.refunds import NotRefundable
from orders.states import OrderStatus
from orders.workflow import SIDE_BY_SIDE, work_of
from stack.ports import HOST
from tests.integration.orders.test_refunds import ask
from tests.making import draft, last_detail, stock

pytestmark = pytest.mark.django_db(transaction=True)


class Stripe:
    """Answers every charge with one answer, and keeps what it was asked."""

    def __init__(self) -> None:
        self.asked: list[dict[str, str]] = []
        self.status, self.answer = 200, {}  # type: int, dict[str, Any]

    def refuses(self, message: str, **more: str) -> None:
        error = {"type": "invalid_request_error", "message": message, **more}
        self.status, self.answer = 400, {"error": error}

    def charges(self, currency: str, amount: int) -> None:
        self.status = 200
        self.answer = {
            "id": "pi_1",
            "object": "payment_intent",
            "status": "succeeded",
            "amount": amount,
            "amount_received": amount,
            "currency": currency,
            "latest_charge": None,
            "next_action": None,
            "last_payment_error": None,
        }

    @contextmanager
    def running(self) -> Iterator[str]:
        ours = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                sent = self.rfile.read(int(self.headers["Content-Length"])).decode()
                ours.asked.append({name: values[0] for name, values in parse_qs(sent).items()})
                body = json.dumps(ours.answer).encode()
                self.send_response(ours.status)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: Any) -> None:
                """The test says what was asked."""

        server = ThreadingHTTPServer((HOST, 0), Handler)
        Thread(target=server.serve_forever, daemon=True).start()
        try:
            yield f"http://{HOST}:{server.server_port}"
        finally:
            server.shutdown()
            server.server_close()


@pytest.fixture
def stripe(settings: Settings) -> Iterator[Stripe]:
    found = Stripe()
    with found.running() as url:
        settings.PAYMENT_GATEWAY, settings.STRIPE_API_BASE = "stripe", url
        settings.STRIPE_API_KEY = "sk_test_of_the_refusals"
        gateway.cache_clear()
        yield found
    gateway.cache_clear()


def reserved(currency: str = "GBP", price: int = 1_250) -> Order:
    stock(KETTLE=10)
    placed = place(replace(draft(price=price), currency=currency), wait=False)
    inventory.reserve([placed.id])
    return Order.objects.get(pk=placed.id)


@pytest.mark.parametrize(
    ("message", "more", "told"),
    [
        (
            "The provided PaymentMethod was previously used with a PaymentIntent without Customer attachment, shared "
            "with a connected account without Customer attachment, or was detached from a Customer. It may not be used "
            "again.",
            {},
            "Please enter the card once more.",
        ),
        ("You cannot use a Stripe token more than once: tok_1.", {"code": "token_already_used"}, "once more"),
        (
            "Amount must convert to at least 50 cents. €0.40 converts to approximately $0.46.",
            {"code": "amount_too_small"},
            "at least 50 cents",
        ),
        ("Invalid integer: 1255", {"code": "parameter_invalid_integer", "param": "amount"}, "1255"),
    ],
)
def test_what_the_shopper_can_mend_declines_the_order_and_releases_its_stock(
    stripe: Stripe, message: str, more: dict[str, str], told: str
) -> None:
    order = reserved()
    stripe.refuses(message, **more)
    outcome = charging.charge([order.pk])
    assert (outcome.done, outcome.failed) == ([], [])
    order.refresh_from_db()
    assert order.status == OrderStatus.PAYMENT_DECLINED
    assert told in last_detail(order)
    inventory.release([order.pk])
    assert StockItem.objects.get(sku="KETTLE").on_hand == 10


def test_a_bug_of_ours_is_left_to_a_person(stripe: Stripe) -> None:
    order = reserved()
    stripe.refuses(
        "Received unknown parameter: allowed_types", code="parameter_unknown", param="allowed_types"
    )
    [failure] = charging.charge([order.pk]).failed
    assert isinstance(failure.error, Refused)
    order.refresh_from_db()
    assert order.status == OrderStatus.RESERVED


@pytest.mark.parametrize(
    ("currency", "price", "units"), [("ISK", 500, 50_000), ("UGX", 5, 500), ("JPY", 500, 500)]
)
def test_the_amount_is_sent_in_stripes_units_and_booked_in_ours(
    stripe: Stripe, currency: str, price: int, units: int
) -> None:
    order = reserved(currency, price)
    stripe.charges(currency.lower(), units)
    assert charging.charge([order.pk]).done == [order.pk]
    assert (stripe.asked[0]["amount"], stripe.asked[0]["currency"]) == (str(units), currency.lower())
    assert Payment.objects.get(order=order).captured_minor == price


@pytest.mark.parametrize(("currency", "price"), [("GBP", 20), ("KWD", 1_255), ("MGA", 150)])
def test_what_stripe_does_not_take_is_not_even_asked(stripe: Stripe, currency: str, price: int) -> None:
    """Such an order was placed before the checkout refused it."""
    order = reserved(currency, price)
    charging.charge([order.pk])
    order.refresh_from_db()
    assert order.status == OrderStatus.PAYMENT_DECLINED
    assert "card" in last_detail(order)
    assert stripe.asked == []


def test_a_card_is_refunded_in_steps_that_stripe_takes(settings: Settings) -> None:
    stock(KETTLE=10)
    placed = place(replace(draft((("KETTLE", 2),)), currency="MGA"), wait=False)
    inventory.reserve([placed.id])
    charging.charge([placed.id])
    for step in SIDE_BY_SIDE:
        work_of(step)([placed.id])
    assert closing.complete([placed.id])
    order = Order.objects.get(pk=placed.id)
    settings.PAYMENT_GATEWAY = "stripe"  # which counts whole ariary; a piece is 12.50
    with pytest.raises(NotRefundable, match="a card is refunded in multiples of"):
        ask(order, {"KETTLE": 1})
    assert ask(order, {"KETTLE": 2}).amount_minor == 2_500
