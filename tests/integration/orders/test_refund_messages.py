"""A refund's messages name what was sent back now, not what the order came to."""

import json
import urllib.request

import pytest
from django.conf import settings as shop_settings
from django.core import mail
from pytest_django import Settings

from orders.models import Order
from orders.notifications import email, sms
from orders.payments import refunding
from tests.integration.audit.conftest import ask as call
from tests.integration.orders.test_refunds import ask, completed

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def _mail_in_memory(settings: Settings) -> None:
    settings.EMAIL_BACKEND = "django.core.mail.backends.locmem.EmailBackend"
    mail.outbox = []


def told(order: Order) -> tuple[str, str]:
    """The e-mail and the text that its refund sends."""
    refunding.refund([order.pk])
    email.mail([order.pk])
    sms.text([order.pk])
    reference = order.notifications.get(channel="sms", kind="refunded").reference
    with urllib.request.urlopen(f"{shop_settings.SMS_URL}/v1/messages/{reference}") as answer:  # noqa: S310 (our own URL)
        return str(mail.outbox[-1].body), json.load(answer)["body"]


def test_the_whole_of_an_order_is_its_total() -> None:
    order = completed()
    ask(order)
    letter, text = told(order)
    assert f"We have sent £62.50 for your order {order.number} back to where it came from.\n" in letter
    assert f"£62.50 for order {order.number} is on its way back to you" in text


def test_after_a_part_it_is_the_rest() -> None:
    order = completed()
    ask(order, {"KETTLE": 1})
    refunding.refund([order.pk])
    ask(order)
    letter, text = told(order)
    assert f"We have sent £50.00 for your order {order.number} back" in letter
    assert "Together with what went back before, that is all of £62.50." in letter
    assert "£50.00 for order" in text


def test_after_a_part_by_hand_that_nobody_knew_of_it_is_what_was_paid_now() -> None:
    order = completed()
    call("payments", "/v1/refunds", "", {"payment_intent": order.payment.reference, "amount": 500})
    ask(order)
    letter, text = told(order)
    assert "We have sent £57.50 for your order" in letter
    assert "£57.50 for order" in text


def test_two_parts_are_the_last_one() -> None:
    order = completed()
    ask(order, {"KETTLE": 3})
    refunding.refund([order.pk])
    ask(order, {"MUG": 2})
    assert "We have sent £25.00 for your order" in told(order)[0]
