"""Other systems get a message for each event, in order for each order, also when the broker was wiped under them."""

from collections.abc import Iterator
from typing import Any

import pytest
import redis
from django.conf import settings
from hypothesis import HealthCheck, given
from hypothesis import settings as trying
from hypothesis import strategies as st
from kombu import Connection, Queue

from orders.models import OrderEvent
from tests.making import place_order
from workers.relay.outbox import ORDER_EVENTS, Outbox

pytestmark = pytest.mark.django_db(transaction=True)


class Subscriber:
    """Another system: it binds its queue once, and stays connected."""

    def __init__(self, connection: Connection, name: str = "test-subscriber", key: str = "order.#") -> None:
        self.queue = Queue(name, ORDER_EVENTS, routing_key=key, channel=connection.channel())
        self.queue.declare()

    def received(self) -> list[dict[str, Any]]:
        found = []
        while message := self.queue.get(no_ack=True):
            found.append(message.payload)
        return found


@pytest.fixture
def connection(broker: redis.Redis) -> Iterator[Connection]:
    with Connection(settings.BROKER_URL) as opened:
        yield opened


@trying(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    moves=st.lists(
        st.tuples(st.integers(0, 2), st.sampled_from(["paid", "shipped", "completed"])), max_size=12
    )
)
def test_each_event_is_a_message_and_none_overtakes_another_of_its_order(
    connection: Connection, moves: list[tuple[int, str]]
) -> None:
    subscriber = Subscriber(connection)
    orders = [place_order() for _ in range(3)]
    for which, kind in moves:
        OrderEvent.objects.create(order=orders[which], kind=f"order.{kind}")
    assert Outbox().publish() == 3 + len(moves)
    received = subscriber.received()
    assert all(len(message["events"]) == 1 for message in received)
    for order in orders:
        of_it = [one for message in received for one in message["events"] if one["order"] == order.number]
        assert [one["event"] for one in of_it] == list(
            order.events.order_by("pk").values_list("pk", flat=True)
        )


@pytest.mark.parametrize("times", [1, 2])
def test_who_stays_connected_is_bound_again_when_the_broker_was_wiped(
    connection: Connection, broker: redis.Redis, times: int
) -> None:
    subscriber, outbox = Subscriber(connection), Outbox()
    place_order()
    outbox.publish()
    for _ in range(times):
        broker.flushall()
        order = place_order()
        assert outbox.publish() == 1
        [message] = subscriber.received()
        assert message["events"][0]["order"] == order.number


def test_who_bound_while_there_was_nothing_to_tell_is_bound_again_too(
    connection: Connection, broker: redis.Redis
) -> None:
    outbox = Outbox()
    subscriber = Subscriber(connection, key="order.placed")
    assert outbox.publish() == 0
    broker.flushall()
    place_order()
    outbox.publish()
    assert len(subscriber.received()) == 1


def test_who_took_his_binding_back_stays_unbound(connection: Connection, broker: redis.Redis) -> None:
    subscriber, outbox = Subscriber(connection), Outbox()
    other = Subscriber(connection, "test-other")
    place_order()
    outbox.publish()
    subscriber.queue.delete()
    place_order()
    outbox.publish()
    broker.flushall()
    place_order()
    outbox.publish()
    assert not broker.exists("test-subscriber")
    assert len(other.received()) == 1
