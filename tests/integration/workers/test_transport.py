"""What the broker's transport does better than kombu's own, against a Valkey that hangs and a network that dies."""

# Kombu is typed in part.
# mypy: disable-error-code="no-untyped-call"

import os
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

import pytest
from django.conf import settings
from kombu import Connection, Consumer, Queue
from kombu.asynchronous import Hub
from kombu.message import Message
from redis.exceptions import TimeoutError as Hung

from bench.chaos.proxy import NetworkFault, Proxy
from tests.freezing import frozen
from tests.sandbox.peers import free_port
from tests.servers import Servers
from workers.adapters.transport import Transport

SOON = {"socket_timeout": 0.3, "socket_connect_timeout": 0.3}  # seconds
QUEUE = Queue("test.transport", routing_key="test.transport", durable=False)


@pytest.fixture
def broker() -> Iterator[Connection]:
    """A connection that gives up soon, and one message waiting for each number from 0."""
    with Connection(settings.BROKER_URL, transport=Transport, transport_options=SOON) as connection:
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
    broker: Connection, servers: Servers, answer: str
) -> None:
    taken: list[Message] = []

    def take(_body: Any, message: Message) -> None:
        taken.append(message)

    with Consumer(broker, [QUEUE], callbacks=[take]) as consumer:
        consumer.qos(prefetch_count=1)
        broker.drain_events(timeout=5)
        with frozen(servers.pid("valkey")), pytest.raises(Hung):
            getattr(taken[0], answer)()
        broker.drain_events(timeout=5)
    assert [message.decode()["number"] for message in taken] == [0, 1]
    taken[1].ack()


def test_a_connection_that_a_child_holds_too_leaves_the_event_loop_when_it_ends(broker: Connection) -> None:
    hub = Hub()
    taken: list[Message] = []
    broker.register_with_event_loop(hub)
    with Consumer(broker, [QUEUE], on_message=taken.append):
        loop = hub.create_loop()
        while len(taken) < 3:
            next(loop)
        channel: Any = broker.default_channel
        listening = channel.client.connection
        copy = os.dup(listening._sock.fileno())  # as a child's that was forked just now
        try:
            listening.disconnect()
            for _ in range(
                5
            ):  # nothing has come: whoever reads now waits until it is told that the broker hangs
                next(loop)
            with broker.Producer() as producer:
                producer.publish({"number": 3}, routing_key=QUEUE.name)
            while len(taken) < 4:
                next(loop)
        finally:
            os.close(copy)
    hub.close()
    assert [message.decode()["number"] for message in taken] == [0, 1, 2, 3]
    for message in taken:
        message.ack()


def test_what_is_sent_over_a_connection_that_died_unnoticed_is_sent_again(broker: Connection) -> None:
    there = urlsplit(settings.BROKER_URL)
    assert there.port
    port = free_port()
    url = there._replace(netloc=there.netloc.replace(f":{there.port}", f":{port}")).geturl()
    with (
        Proxy(port, there.port) as network,
        Connection(url, transport=Transport, transport_options=SOON) as connection,
        connection.Producer() as producer,
    ):
        producer.publish({"number": 3}, routing_key=QUEUE.name)
        network.set(NetworkFault.HALF_OPEN)
        network.set(NetworkFault.NONE)
        producer.publish({"number": 4}, routing_key=QUEUE.name)
    queue = QUEUE.bind(broker.default_channel)
    numbers = []
    while message := queue.get(no_ack=True):
        numbers.append(message.decode()["number"])
    assert numbers == [0, 1, 2, 3, 4]
