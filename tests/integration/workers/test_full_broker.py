"""A broker that is full, or refuses what is written for another reason: nothing is claimed in vain, events wait before
orders do, and an alarm sees it. An order in a queue that nobody serves grows old where people look."""

from collections.abc import Iterator
from datetime import timedelta

import pytest
import redis
from django.contrib.auth.models import User
from django.utils import timezone

from orders import sql
from orders.models import Document, Order, OrderEvent
from orders.states import OrderStatus
from tests.integration.workers.test_metrics import shown
from tests.making import place_order
from tests.waiting import wait_for
from workers.broker import Broker, BrokerFull
from workers.dashboard import show
from workers.metrics.collecting import Collector
from workers.queues import QueueName
from workers.relay.dispatcher import Dispatcher
from workers.relay.duties import Relay
from workers.relay.leased import dispatch_documents
from workers.relay.outbox import Outbox

pytestmark = pytest.mark.django_db(transaction=True)

LOOKS = 20
BALLAST = 20_000_000


@pytest.fixture
def limit(broker: redis.Redis) -> Iterator[None]:
    """The broker's memory and its refusals are as they were afterwards."""
    yield
    broker.config_set("min-replicas-to-write", "0")
    broker.config_set("maxmemory", "512mb")


def fill(broker: redis.Redis, share: float) -> None:
    """Have so much of the broker's memory taken."""
    broker.set("ballast", "x" * BALLAST)  # beside which a connection more or less is nothing

    def settled() -> int | None:
        used = int(broker.info("memory")["used_memory"])
        return used if used < 1.3 * BALLAST else None  # until the ballast is on disk it is there twice

    broker.config_set("maxmemory", str(int(wait_for(settled, "the ballast to be written") / share)))


# How many claims there ever were: the sequence does not forget those that were taken back.
_CLAIMS = """
SELECT coalesce(last_value, 0) FROM pg_sequences
WHERE (schemaname || '.' || sequencename)::regclass = pg_get_serial_sequence('orders_claim', 'id')::regclass
"""


def claims() -> int:
    return int(sql.rows(_CLAIMS, {})[0][0])


def test_a_full_broker_is_not_claimed_for(broker: redis.Redis, limit: None) -> None:
    orders = [place_order() for _ in range(5)]
    before = claims()
    fill(broker, 1.2)
    relay = Relay()
    for _ in range(LOOKS):
        relay.run_once()
    assert claims() == before
    assert set(Order.objects.values_list("attempts", "attempts_total")) == {(0, 0)}
    broker.config_set("maxmemory", "512mb")

    def dispatched() -> int | None:
        relay.run_once()
        return broker.llen("inventory") or None

    wait_for(dispatched, "the orders to be dispatched")
    assert claims() == before + 1
    assert Order.objects.filter(pk__in=[order.pk for order in orders], attempts=1).count() == 5


def test_it_stops_while_those_under_way_still_have_room(broker: redis.Redis, limit: None) -> None:
    place_order()
    fill(broker, 0.95)
    Relay().run_once()
    assert Order.objects.get().attempts == 0
    broker.set("what a worker writes", "x")  # would be refused if it were full
    broker.delete("what a worker writes")


def test_a_broker_that_refuses_for_another_reason_is_claimed_for_once(
    broker: redis.Redis, limit: None
) -> None:
    """It has lost its replicas, as one whose disk is full or that has become a replica itself."""
    place_order()
    before = claims()
    broker.config_set("min-replicas-to-write", "1")
    relay = Relay()
    for _ in range(LOOKS):
        relay.run_once()
    assert claims() == before + 1
    assert Order.objects.get().attempts == 0
    broker.config_set("min-replicas-to-write", "0")
    relay.run_once()
    assert claims() == before + 2
    assert broker.llen("inventory") == 1


def test_pdfs_are_not_claimed_either(broker: redis.Redis, limit: None) -> None:
    document = Document.objects.create(order=place_order(), kind="invoice", serial=1, due_at=timezone.now())
    Order.objects.update(due_at=None)
    due_at = Document.objects.get(pk=document.pk).due_at
    fill(broker, 0.95)
    mine = Broker()
    for _ in range(3):
        with pytest.raises(BrokerFull, match="from 90% on it waits"):
            dispatch_documents(mine, Dispatcher(mine))
    assert Document.objects.get(pk=document.pk).due_at == due_at
    assert not broker.llen(QueueName.DOCUMENTS)


def test_events_wait_before_orders_do(broker: redis.Redis, limit: None) -> None:
    place_order()
    fill(broker, 0.8)
    with pytest.raises(BrokerFull, match="from 70% on it waits"):
        Outbox().publish()
    assert OrderEvent.objects.filter(published_at=None).count() == 1
    Relay().run_once()
    assert broker.llen("inventory") == 1
    broker.config_set("maxmemory", "512mb")
    assert Outbox().publish() == 1


def test_a_broker_without_a_limit_is_never_full(broker: redis.Redis, limit: None) -> None:
    broker.config_set("maxmemory", "0")
    Broker().ready()
    assert shown()["stampede_broker_memory_limit_bytes",] == 0


def test_what_it_uses_is_shown(broker: redis.Redis, limit: None) -> None:
    found = shown()
    assert found["stampede_broker_memory_limit_bytes",] == 512 * 1024 * 1024
    assert 0 < found["stampede_broker_memory_bytes",] < 512 * 1024 * 1024


def test_what_is_placed_and_ends_is_counted_with_the_broker_full_too(
    broker: redis.Redis, limit: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("workers.metrics.figures.SETTLED_SECONDS", 0.0)
    monkeypatch.setattr("workers.metrics.collecting.KEPT", 0.0)
    place_order()
    fill(broker, 1.2)
    collector = Collector()
    assert shown(collector)["stampede_orders_placed_total",] == 0  # since this process began
    for kind in ("completed", "cancelled", "reserved"):
        OrderEvent.objects.create(order=place_order(), kind=f"order.{kind}")
    for _ in range(2):
        found = shown(collector)
        assert found["stampede_orders_placed_total",] == 3
        assert found["stampede_orders_ended_total",] == 2


@pytest.mark.parametrize("status", [OrderStatus.PLACED, OrderStatus.RESERVED, OrderStatus.PAID])
def test_an_order_in_a_paused_queue_grows_old_where_people_look(
    broker: redis.Redis, admin_user: User, status: OrderStatus
) -> None:
    """Its message waits, so it is dispatched only once, and never due for long."""
    order = place_order()
    past = timezone.now() - timedelta(seconds=75)
    Order.objects.update(placed_at=past, status=status)
    relay = Relay()
    relay.run_once()
    Order.objects.update(due_at=timezone.now())  # its lease has run out
    relay.run_once()
    found = shown()
    assert found["stampede_oldest_due_order_age_seconds",] < 5
    assert 75 <= found["stampede_oldest_open_order_age_seconds", status.value] < 135
    request = type("Request", (), {"user": admin_user})()
    [oldest] = [one for one in show(request, {})["work"] if one.name == "Oldest that has not ended"]
    assert (oldest.value, oldest.note) == ("a minute ago", "placed")
    Order.objects.filter(pk=order.pk).update(due_at=None)  # a person has it now
    assert shown()["stampede_oldest_open_order_age_seconds", status.value] == 0
