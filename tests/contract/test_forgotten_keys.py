"""Keys do not live for ever: a charge that was asked for long ago, and whose answer never came, is looked for.

localstripe forgets every key at once, which is what Stripe does after a day.
"""

from collections.abc import Iterator
from datetime import datetime, timedelta

import pytest
from django.utils import timezone
from pytest_django import Settings

from orders import inventory
from orders.cancelling import cancel
from orders.models import Order, Payment
from orders.payments import charging, keys, refunding
from orders.payments.gateway import KEYS_LIVE, Charge, Listed, gateway
from orders.providers.http import client
from orders.states import OrderStatus
from tests.making import place_order, stock

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def stripe(stripe_url: str, settings: Settings) -> Iterator[None]:
    """The shop charges through Stripe."""
    settings.PAYMENT_GATEWAY, settings.STRIPE_API_BASE = "stripe", stripe_url
    settings.STRIPE_API_KEY = "sk_test_of_the_contract"
    gateway.cache_clear()
    yield
    gateway.cache_clear()


def asked_without_an_answer(ago: timedelta) -> Order:
    """The provider has charged, and whoever asked died before writing it down."""
    stock(KETTLE=10)
    order = place_order()
    inventory.reserve([order.pk])
    key = keys.key(order.payment.key, "charge")
    client().run(
        gateway().authorise(
            Charge(key, order.number, "pm_card_visa", order.total_minor, "GBP", order.url), capture=True
        )
    )
    long_ago = timezone.now() - ago
    Payment.objects.filter(order=order).update(status="requested", requested_at=long_ago, created_at=long_ago)
    return order


def charges(order: Order) -> list[Listed]:
    """What Stripe has for this order."""

    async def listed(since: datetime) -> list[Listed]:
        return [one async for one in gateway().list(since) if one.order_number == order.number]

    return client().run(listed(timezone.now() - timedelta(minutes=5)))


def test_a_charge_whose_key_is_forgotten_is_found_and_not_repeated() -> None:
    order = asked_without_an_answer(KEYS_LIVE + timedelta(minutes=1))
    assert charging.charge([order.pk]).done == [order.pk]
    order.refresh_from_db()
    assert order.status == OrderStatus.PAID
    [only] = charges(order)
    assert Payment.objects.get(order=order).reference == only.intent.reference


def test_a_charge_that_was_never_made_is_made_however_late() -> None:
    stock(KETTLE=10)
    order = place_order()
    inventory.reserve([order.pk])
    long_ago = timezone.now() - KEYS_LIVE - timedelta(minutes=1)
    Payment.objects.filter(order=order).update(status="requested", created_at=long_ago)
    assert charging.charge([order.pk]).done == [order.pk]
    assert len(charges(order)) == 1


def test_a_cancelled_order_finds_the_charge_that_it_never_heard_of() -> None:
    order = asked_without_an_answer(timedelta(minutes=1))
    cancel(order.token)
    assert refunding.refund([order.pk]).done == [order.pk]
    payment = Payment.objects.get(order=order)
    assert (payment.status, payment.refunded_minor) == ("refunded", order.total_minor)
    [only] = charges(order)
    assert only.intent.refunded_minor == order.total_minor
