"""What the broker's transport does better than kombu's own, against a Valkey that hangs."""

# Kombu is typed in part.
# mypy: disable-error-code="no-untyped-call"

from collections.abc import Iterator
from typing import Any

import pytest
from django.conf import settings
from kombu import Connection, Consumer, Queue
from kombu.message import Message
from redis.exceptions import TimeoutError as Hung

from sandbox.stack.servers import Servers
from tests.freezing import frozen
from workers.transport import Transport

QUEUE = Queue("test.transport", routing_key="test.transport", durable=False)


@pytest.fixture
def broker() -> Iterator[Connection]:
    """A connection that gives up soon, and one message waiting for each number from 0."""
    options = {"socket_timeout": 0.3, "socket_connect_timeout": 0.3}
    with Connection(settings.BROKER_URL, transport=Transport, transport_options=options) as connection:
        channel = connection.default_channel
        queue = QUEUE.bind(channel)
        queue.declare()
        queue.purge()
        with connection.Producer() as producer:
            for number in range(3):
                producer.publish({"number": number}, routing_key=QUEUE.name)
        yield connection
        queue.purge()


@pytest.mark.parametrize("answer", ["ack", "reject"])
def test_a_broker_that_hangs_over_an_answer_is_asked_for_the_next_message(
    broker: Connection, house: Servers, answer: str
) -> None:
    taken: list[Message] = []

    def take(_body: Any, message: Message) -> None:
        taken.append(message)

    with Consumer(broker, [QUEUE], callbacks=[take]) as consumer:
        consumer.qos(prefetch_count=1)
        broker.drain_events(timeout=5)
        with frozen(house["valkey"].pid), pytest.raises(Hung):
            getattr(taken[0], answer)()
        broker.drain_events(timeout=5)
    assert [message.decode()["number"] for message in taken] == [0, 1]
    taken[1].ack()
