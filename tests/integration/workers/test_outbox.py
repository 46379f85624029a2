"""The feed: every committed event is told, to the live pages and to whoever bound a queue, also after an outage."""

import json
from collections.abc import Iterator
from typing import Any

import pytest
import redis
from django.conf import settings
from django.db import transaction
from kombu import Connection, Queue
from kombu.exceptions import OperationalError as BrokerError

from orders import inventory
from orders.models import OrderEvent
from tests.making import place_order, stock
from tests.servers import Servers
from tests.waiting import wait_for
from workers.relay.outbox import LIVE_CHANNEL, ORDER_EVENTS, Outbox

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def listener() -> Iterator[redis.client.PubSub]:
    client: Any = redis.Redis.from_url(settings.BROKER_URL)
    with client.pubsub(ignore_subscribe_messages=True) as pubsub:
        pubsub.subscribe(LIVE_CHANNEL)
        pubsub.get_message(timeout=5)
        yield pubsub
    client.close()


def told(listener: redis.client.PubSub) -> list[list[str]]:
    message = listener.get_message(timeout=5)
    return json.loads(message["data"]) if message else []


def test_live_pages_hear_which_orders_changed(listener: redis.client.PubSub) -> None:
    stock(KETTLE=1)
    order = place_order()
    inventory.reserve([order.pk])
    assert Outbox().publish() == 2
    assert told(listener) == [[order.token, "order.placed"], [order.token, "order.reserved"]]
    assert Outbox().publish() == 0


def test_whoever_binds_a_queue_gets_what_it_asked_for() -> None:
    with Connection(settings.BROKER_URL) as connection:
        queue = Queue(
            "test-reserved", ORDER_EVENTS, routing_key="order.reserved", channel=connection.channel()
        )
        queue.declare()
        stock(KETTLE=1)
        order = place_order()
        inventory.reserve([order.pk])
        Outbox().publish()
        message = wait_for(queue.get, "the message")
        queue.delete()
    assert message.payload["kind"] == "order.reserved"
    [event] = message.payload["events"]
    assert (event["order"], event["event"]) == (order.number, order.events.get(kind="order.reserved").pk)


def test_what_is_not_committed_is_not_told() -> None:
    with transaction.atomic():
        place_order()
        transaction.set_rollback(True)
    assert Outbox().publish() == 0


def test_what_could_not_be_told_is_told_when_the_broker_is_back(servers: Servers) -> None:
    outbox = Outbox()
    place_order()
    outbox.publish()
    servers.stop("valkey")
    try:
        place_order()
        with pytest.raises((redis.RedisError, BrokerError, OSError)):
            outbox.publish()
        assert OrderEvent.objects.filter(published_at=None).count() == 1
    finally:
        servers.start("valkey")
    assert wait_for(lambda: outbox_publishes(outbox), "the outbox to go on") == 1


def outbox_publishes(outbox: Outbox) -> int | None:
    try:
        return outbox.publish() or None
    except (redis.RedisError, BrokerError, OSError):
        return None
