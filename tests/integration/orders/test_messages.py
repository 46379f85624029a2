"""E-mails and texts, through the sandbox's mailbox and gateway: once under their key, with what people need to know."""

import json
import urllib.request

import pytest
from django.conf import settings

from orders import inventory
from orders.cancelling import cancel
from orders.models import Notification, Order
from orders.notifications import email, sms
from orders.notifications.messages import KIND_OF
from orders.payments import charging
from orders.providers.failures import Refused, Transient
from orders.states import OrderStatus
from tests.making import ledger, place_order, stock
from tests.servers import Servers

pytestmark = pytest.mark.django_db(transaction=True)


def paid(count: int = 1) -> list[Order]:
    stock(KETTLE=1_000)
    orders = [place_order() for _ in range(count)]
    ids = [order.pk for order in orders]
    inventory.reserve(ids)
    charging.charge(ids)
    return orders


def keys(provider: str, orders: list[Order]) -> list[str]:
    """The keys under which a provider was asked for messages about these orders."""
    ours = {str(key) for key in Notification.objects.filter(order__in=orders).values_list("key", flat=True)}
    return [entry["key"] for entry in ledger(provider) if any(key in entry["key"] for key in ours)]


def faults(url: str, **values: object) -> None:
    request = urllib.request.Request(  # noqa: S310 (our own URL)
        f"{url}/faults", json.dumps(values).encode(), {"Content-Type": "application/json"}
    )
    with urllib.request.urlopen(request):  # noqa: S310
        pass


def test_a_batch_gets_one_e_mail_and_one_text_each_however_often_the_steps_run() -> None:
    orders = paid(30)
    ids = [order.pk for order in orders]
    for _ in range(2):
        assert sorted(email.mail(ids).done) == sorted(sms.text(ids).done) == sorted(ids)
    assert len(keys("mailbox", orders)) == len(keys("sms", orders)) == 30
    assert set(Notification.objects.values_list("status", flat=True)) == {Notification.Status.SENT}


def test_a_message_whose_sending_was_forgotten_is_absorbed_by_its_key() -> None:
    """The worker died between the sending and the writing down: it is sent again, and arrives once."""
    orders = paid()
    ids = [orders[0].pk]
    email.mail(ids)
    sms.text(ids)
    Notification.objects.update(status=Notification.Status.REQUESTED)
    email.mail(ids)
    sms.text(ids)
    assert len(keys("mailbox", orders)) == len(keys("sms", orders)) == 1


def test_the_state_decides_what_is_said() -> None:
    order = place_order()
    assert email.mail([order.pk]).done == [order.pk]
    assert not Notification.objects.exists()  # a placed order has nothing to say yet
    cancel(order.token)
    email.mail([order.pk])
    assert Notification.objects.get().kind == Notification.Kind.CANCELLED


def test_every_state_that_is_told_has_its_words() -> None:
    assert set(KIND_OF.values()) == set(Notification.Kind)
    assert set(KIND_OF) == set(OrderStatus) - {OrderStatus.PLACED, OrderStatus.AWAITING_PAYMENT}


def test_a_mail_server_that_is_away_is_tried_again(servers: Servers) -> None:
    [order] = paid()
    servers.stop("mailbox")
    try:
        outcome = email.mail([order.pk])
    finally:
        servers.start("mailbox")
    assert isinstance(outcome.failed[0].error, Transient)
    assert email.mail([order.pk]).done == [order.pk]


def test_an_address_that_the_server_refuses_is_refused_for_good() -> None:
    [order] = paid()
    Order.objects.filter(pk=order.pk).update(email="refused@example.com")
    outcome = email.mail([order.pk])
    assert isinstance(outcome.failed[0].error, Refused)


def test_a_slow_mail_server_ends_the_batch_in_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(email, "_BATCH_SECONDS", 0.0)
    orders = paid(3)
    outcome = email.mail([order.pk for order in orders])
    assert len(outcome.untried) == 3
    assert not outcome.done
    assert not outcome.failed
    assert Notification.objects.filter(failures__gt=0).count() == 0


def test_a_refused_number_leaves_the_others_alone() -> None:
    good, bad = paid(2)
    Order.objects.filter(pk=bad.pk).update(phone="+15005550001")
    outcome = sms.text([good.pk, bad.pk])
    assert outcome.done == [good.pk]
    assert isinstance(outcome.failed[0].error, Refused)


def test_texts_wait_for_a_gateway_that_is_overloaded() -> None:
    [order] = paid()
    faults(settings.SMS_URL, throttle_rate=1.0)
    try:
        outcome = sms.text([order.pk])
    finally:
        faults(settings.SMS_URL, throttle_rate=0.0)
    assert isinstance(outcome.failed[0].error, Transient)
    assert sms.text([order.pk]).done == [order.pk]
