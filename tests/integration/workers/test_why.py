"""`manage.py why` and the sentence in the admin, for orders that really stand so."""

import json
from collections.abc import Iterator
from datetime import timedelta
from io import StringIO
from typing import Any

import pytest
import redis
from django.conf import settings
from django.core.management import CommandError, call_command
from django.db import connection
from django.test import Client
from django.urls import reverse
from django.utils import timezone
from pytest_django import Settings

from orders import scheduling
from orders.models import Order
from orders.providers.failures import Transient
from orders.states import OrderStatus, Provider
from orders.workflow import Step
from stack.ports import Ports
from tests.freezing import frozen
from tests.making import place_order
from tests.servers import Servers
from workers import deadletters
from workers.celery import app
from workers.deadletters.replaying import replay
from workers.models import Breaker, DeadLetter
from workers.queues import TAKEN
from workers.relay.duties import Relay
from workers.why import queued, why
from workers.why.words import Waiting

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def broker() -> Iterator[redis.Redis]:
    """The broker of this run, empty but for the mark that it remembers."""
    client = redis.Redis.from_url(settings.BROKER_URL)
    client.flushall()
    client.set("stampede:remembers", "1")
    yield client
    client.flushall()
    client.close()


def asked(order: Order) -> tuple[Waiting, str]:
    found = why(Order.objects.get(pk=order.pk))
    return found.waiting_for, found.sentence


def reserved() -> Order:
    order = place_order()
    scheduling.advance([order.pk], [OrderStatus.PLACED], OrderStatus.RESERVED)
    return order


def test_an_order_that_was_just_placed_waits_for_the_relay() -> None:
    assert asked(place_order())[0] is Waiting.RELAY


def test_one_that_was_dispatched_waits_in_its_queue_behind_others(broker: redis.Redis) -> None:
    first, second = place_order(), place_order(card=None)
    Relay().run_once()
    waiting, sentence = asked(second)
    assert waiting is Waiting.QUEUE
    assert "waits in the queue inventory for reserving its stock" in sentence
    assert {asked(order)[1].partition("with ")[2][:12] for order in (first, second)} == {
        "no message b",
        "1 message be",
    }


def test_one_whose_message_a_worker_took(broker: redis.Redis) -> None:
    """As kombu takes a message from its queue: it lies apart until it is acknowledged."""
    order = place_order()
    Relay().run_once()
    options = {"unacked_key": TAKEN.format(node="inventory@here")}
    with app.connection_for_read(transport_options=options) as link, link.channel() as opened:
        channel: Any = opened
        message = channel.basic_get("inventory")
        assert message is not None
        assert asked(order)[0] is Waiting.WORKER
        channel.basic_ack(message.delivery_tag)
    assert asked(order)[0] is Waiting.LEASE


def test_one_whose_lease_ran_out() -> None:
    order = reserved()
    Order.objects.filter(pk=order.pk).update(due_at=timezone.now() - timedelta(seconds=1), attempts=2)
    waiting, sentence = asked(order)
    assert waiting is Waiting.RELAY
    assert "attempt 2 of 3" in sentence


def test_one_that_failed_and_is_tried_again() -> None:
    order = reserved()
    for number in range(3):
        deadletters.note_attempts(Step.CHARGE, {order.pk: Transient(f"the provider answered 50{number}")})
    scheduling.schedule({order.pk: timezone.now() + timedelta(minutes=5)})
    waiting, sentence = asked(order)
    assert waiting is Waiting.RETRY
    assert "its next try of charging it" in sentence
    assert "after 3 failures" in sentence
    assert "the provider answered 502" in sentence


def test_failures_before_it_was_given_up_are_past() -> None:
    order = reserved()
    deadletters.note_attempts(Step.CHARGE, {order.pk: Transient("once")})
    deadletters.bury(Step.CHARGE, {order.pk: Transient("for the last time")})
    assert "after 2 attempts" in asked(order)[1]
    replay(DeadLetter.objects.all(), by="ada")
    scheduling.schedule({order.pk: timezone.now() + timedelta(minutes=5)})
    assert asked(order)[0] is Waiting.TIME


def test_one_that_is_parked_until_its_provider_is_back() -> None:
    order = reserved()
    until = timezone.now() + timedelta(minutes=15)
    Breaker.objects.create(
        provider=Provider.PAYMENTS,
        state=Breaker.State.OPEN,
        failures=5,
        last_error="it answered 503",
        next_probe_at=timezone.now() + timedelta(seconds=8),
        parked_until=until,
    )
    scheduling.schedule({order.pk: until})
    waiting, sentence = asked(order)
    assert waiting is Waiting.PROVIDER
    assert "until the payment provider is back" in sentence
    assert "it answered 503" in sentence


def test_one_whose_buyer_is_asked_by_the_bank() -> None:
    order = reserved()
    order.payment.hold_until = timezone.now() + timedelta(minutes=20)
    order.payment.save(update_fields=["hold_until"])
    soon = timezone.now() + timedelta(seconds=60)
    scheduling.advance(
        [order.pk], [OrderStatus.RESERVED], OrderStatus.AWAITING_PAYMENT, then="later", later=soon
    )
    assert asked(order)[0] is Waiting.BUYER


def test_one_that_a_person_must_look_at() -> None:
    order = reserved()
    deadletters.bury(Step.CHARGE, {order.pk: ValueError("a bug")})
    waiting, sentence = asked(order)
    letter = DeadLetter.objects.get()
    assert waiting is Waiting.PERSON
    assert f"dead letter {letter.pk}" in sentence
    assert "ValueError: a bug" in sentence


def test_one_that_has_ended() -> None:
    order = reserved()
    scheduling.close([order.pk])
    assert asked(order)[0] is Waiting.NOTHING


@pytest.mark.parametrize("attempts", [0, 1])
@pytest.mark.parametrize("away", ["stopped", "hangs"])
def test_the_broker_may_be_away(servers: Servers, attempts: int, away: str) -> None:
    order = reserved()
    past = timezone.now() + timedelta(seconds=-1 if not attempts else 10)
    Order.objects.filter(pk=order.pk).update(due_at=past, attempts=attempts)
    queued._broker().close()
    if away == "hangs":
        with frozen(servers.pid("valkey")):
            assert asked(order)[0] is Waiting.BROKER
        return
    servers.stop("valkey")
    try:
        assert asked(order)[0] is Waiting.BROKER
    finally:
        servers.start("valkey")


def test_it_shrugs_at_what_is_no_message(broker: redis.Redis) -> None:
    order = reserved()
    broker.lpush("payment", "nonsense", b"\xff\x00", '{"body": 17}')
    broker.hset("unacked.payment@here", "tag", "nonsense")
    assert asked(order)[0] is Waiting.LEASE


def said(*arguments: str) -> str:
    out = StringIO()
    call_command("why", *arguments, stdout=out)
    return out.getvalue()


def test_the_command_finds_an_order_by_whatever_one_has() -> None:
    order = reserved()
    for name in (order.number, order.number.lower(), str(order.pk), order.token):
        text = said(name)
        assert text.startswith(f"{order.number} has its stock reserved")
        assert "order.placed" in text
        assert "order.reserved" in text


def test_for_programs_it_speaks_json() -> None:
    order = reserved()
    found: dict[str, Any] = json.loads(said(order.number, "--json"))
    assert found["order"] == order.number
    assert (found["status"], found["steps"]) == ("reserved", ["payment.charge"])
    assert found["sentence"].startswith(order.number)
    assert [event["kind"] for event in found["timeline"]] == ["order.placed", "order.reserved"]


@pytest.mark.parametrize("unknown", ["S-999999999", "17000000", "no-such-token", "", "S-0", "٣"])
def test_it_says_when_there_is_no_such_order(unknown: str) -> None:
    with pytest.raises(CommandError, match="There is no order"):
        said(unknown)


def test_it_says_when_the_database_is_away() -> None:
    order = reserved()
    connection.close()
    port, connection.settings_dict["PORT"] = connection.settings_dict["PORT"], Ports.free().postgres
    try:
        with pytest.raises(CommandError, match="could not be read") as told:
            said(order.number)
        assert told.value.returncode == 2
    finally:
        connection.close()
        connection.settings_dict["PORT"] = port


def test_the_same_sentence_stands_in_the_admin(admin_client: Client, settings: Settings) -> None:
    settings.STORAGES = {
        **settings.STORAGES,
        "staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"},
    }
    order = reserved()
    deadletters.bury(Step.CHARGE, {order.pk: ValueError("a <b>bug</b>")})
    page = admin_client.get(reverse("admin:orders_order_change", args=[order.pk])).content.decode()
    assert f"{order.number} has its stock reserved and waits for a person" in page
    assert "a &lt;b&gt;bug&lt;/b&gt;" in page
