"""The inbox: every signed report is kept once, and applied once when its time has come, whenever it comes."""

import hmac
import json
import time
from datetime import timedelta
from hashlib import sha256
from typing import Any

import pytest
from django.conf import settings as shop_settings
from django.http import HttpResponse
from django.test import Client
from django.utils import timezone
from pytest_django import Settings

from orders import inventory
from orders.models import Order, Payment, ProviderEvent
from orders.payments import charging, inbox
from orders.states import OrderStatus
from tests.making import at_once, place_order, stock

pytestmark = pytest.mark.django_db(transaction=True)


def report(event_id: str, **subject: Any) -> bytes:
    body = {"id": event_id, "type": "payment_intent.succeeded", "created": int(time.time())}
    return json.dumps({**body, "data": {"object": subject}}).encode()


def deliver(body: bytes, *, secret: str = "", age: float = 0) -> int:
    at = int(time.time() - age)
    key = (secret or shop_settings.PAYMENTS_WEBHOOK_SECRET).encode()
    signature = hmac.new(key, f"{at}.".encode() + body, sha256).hexdigest()
    response: HttpResponse = Client().post(  # type: ignore[assignment]
        "/webhooks/payments/",
        body,
        content_type="application/json",
        headers={"Stripe-Signature": f"t={at},v1={signature}"},
    )
    return response.status_code


def quiet(order: Order, attempts: int = 0) -> None:
    """Nobody is to look at the order for an hour."""
    Order.objects.filter(pk=order.pk).update(due_at=timezone.now() + timedelta(hours=1), attempts=attempts)


def is_due(order: Order) -> bool:
    order.refresh_from_db()
    return order.due_at is not None and order.due_at <= timezone.now()


def waiting_order() -> Order:
    """It waits for the buyer's bank."""
    stock(KETTLE=100)
    order = place_order(card="pm_card_threeDSecure2Required")
    inventory.reserve([order.pk])
    charging.charge([order.pk])
    order.refresh_from_db()
    assert order.status == OrderStatus.AWAITING_PAYMENT
    quiet(order)
    return order


def test_a_report_is_kept_as_it_came_and_rings_for_its_order() -> None:
    order = waiting_order()
    body = report("evt_1", id=order.payment.reference)
    assert deliver(body) == 200
    event = ProviderEvent.objects.get()
    assert (event.gateway, event.event_id, event.order, event.times) == ("sandbox", "evt_1", order, 1)
    assert event.body == body.decode()
    assert event.applied_at
    assert event.happened_at
    assert is_due(order)


def test_a_repeated_report_is_kept_once_and_rings_once() -> None:
    order = waiting_order()
    deliver(report("evt_1", id=order.payment.reference))
    quiet(order)
    assert deliver(report("evt_1", id=order.payment.reference)) == 200
    assert ProviderEvent.objects.get().times == 2
    assert not is_due(order)


def test_the_same_report_many_times_at_once_is_kept_once() -> None:
    order = waiting_order()
    answers = at_once(lambda _: deliver(report("evt_1", id=order.payment.reference)), 8)
    assert answers == [200] * 8
    assert ProviderEvent.objects.get().times == 8


def test_a_report_that_comes_while_the_charge_is_in_the_air_waits_for_its_answer() -> None:
    stock(KETTLE=100)
    order = place_order()
    inventory.reserve([order.pk])
    Payment.objects.filter(order=order).update(status="requested", requested_at=timezone.now())
    quiet(order, attempts=1)
    deliver(report("evt_1", id="pi_early", metadata={"order": order.number}))
    event = ProviderEvent.objects.get()
    assert event.order == order
    assert event.applied_at is None
    assert not is_due(order)

    charging.charge([order.pk])
    assert ProviderEvent.objects.get().applied_at
    order.refresh_from_db()
    assert order.status == OrderStatus.PAID


def test_a_report_that_names_a_charge_we_do_not_know_yet_is_applied_when_we_do() -> None:
    stock(KETTLE=100)
    order = place_order(card="pm_card_threeDSecure2Required")
    inventory.reserve([order.pk])
    charging.charge([order.pk])
    reference = Payment.objects.get(order=order).reference
    Payment.objects.update(reference="", status="requested")
    quiet(order)
    deliver(report("evt_1", id="re_1", payment_intent=reference))
    assert ProviderEvent.objects.get().order is None
    assert not is_due(order)

    charging.charge([order.pk])
    event = ProviderEvent.objects.get()
    assert event.order == order
    assert event.applied_at
    assert is_due(order)


def test_a_report_beside_the_answer_is_never_missed() -> None:
    """Whichever of the two is committed first, the other looks for it."""
    for number in range(15):
        stock(KETTLE=1_000)
        order = place_order(card="pm_card_threeDSecure2Required")
        inventory.reserve([order.pk])
        charging.charge([order.pk])
        reference = Payment.objects.get(order=order).reference
        Payment.objects.filter(order=order).update(reference="", status="requested")
        body = report(f"evt_{number}", id=reference)
        at_once(
            lambda who, order=order, body=body: deliver(body) if who else charging.charge([order.pk]),  # type: ignore[misc]
            2,
        )
        assert ProviderEvent.objects.get(event_id=f"evt_{number}").applied_at


def test_what_nobody_rang_for_is_swept_up() -> None:
    """A process died between keeping a report and ringing for its order."""
    order = waiting_order()
    inbox.keep(
        inbox.Report("sandbox", "evt_1", "payment_intent.succeeded", "", order.pk, "{}", timezone.now())
    )
    assert not is_due(order)
    assert inbox.sweep() == 1
    assert is_due(order)
    assert inbox.sweep() == 0


def test_a_report_about_no_order_of_ours_is_kept() -> None:
    assert deliver(report("evt_1", id="pi_foreign", metadata={"order": "S-999999999"})) == 200
    event = ProviderEvent.objects.get()
    assert (event.order, event.applied_at, event.reference) == (None, None, "pi_foreign")
    assert inbox.sweep() == 0


@pytest.mark.parametrize("named", ["{0}", "s{0}", "S-0{0}"])
def test_a_report_about_an_order_of_somebody_else_is_about_none_of_ours(named: str) -> None:
    order = waiting_order()
    number = named.format(order.number.removeprefix("S-"))
    assert deliver(report("evt_1", id="pi_foreign", metadata={"order": number})) == 200
    assert ProviderEvent.objects.get().order is None
    assert not is_due(order)


def test_a_report_from_which_nothing_is_left_to_learn_rings_for_nobody() -> None:
    stock(KETTLE=100)
    order = place_order()
    inventory.reserve([order.pk])
    charging.charge([order.pk])
    quiet(order, attempts=1)
    deliver(report("evt_1", id=Payment.objects.get().reference))
    assert ProviderEvent.objects.get().applied_at
    assert not is_due(order)


def test_a_report_without_an_id_is_known_by_its_bytes() -> None:
    order = waiting_order()
    body = json.dumps({"type": "x", "data": {"object": {"id": order.payment.reference}}}).encode()
    assert [deliver(body) for _ in range(2)] == [200, 200]
    assert ProviderEvent.objects.get().times == 2


def test_both_gateways_are_heard_and_each_by_its_own_secret(settings: Settings) -> None:
    settings.STRIPE_WEBHOOK_SECRET = "whsec_of_the_other_gateway"
    order = waiting_order()
    body = report("evt_1", id=order.payment.reference)
    assert deliver(body) == 200
    assert deliver(body, secret=settings.STRIPE_WEBHOOK_SECRET) == 200
    assert set(ProviderEvent.objects.values_list("gateway", "event_id")) == {
        ("sandbox", "evt_1"),
        ("stripe", "evt_1"),
    }
    assert deliver(body, secret="a guess of the secret") == 400
    assert deliver(body, secret=settings.STRIPE_WEBHOOK_SECRET, age=301) == 400


def test_a_gateway_without_a_secret_is_not_heard(settings: Settings) -> None:
    settings.STRIPE_WEBHOOK_SECRET = ""
    settings.PAYMENTS_WEBHOOK_SECRET = ""
    assert deliver(report("evt_1", id="pi_1"), secret="\0") == 400
