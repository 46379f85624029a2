"""The broker's transport: kombu's for Redis, where three things would end a worker's work for good.

Somebody puts into a queue what is no message at all: kombu takes the item from its list, fails to read it and takes the
worker down with the item in its hands. Here such an item is put into an envelope that kombu can read, of a type that
nobody accepts: from then on it is a message like any other that cannot be decoded (workers.adapters.consumer).

The broker hangs while a message is acknowledged: Celery writes a line into the log and goes on, and kombu counts the
message as unanswered for ever. With one message ahead for each process, that pool never asks for another; it looks
well and does nothing. Here it counts as answered, whether the broker heard it or not.

A connection dies that the event loop listens on: kombu takes it off the loop when it is closed already. Where a child
was forked since it was opened, the child holds it too, so it stays on the loop and says for ever that there is
something to read; whoever gets its number next is read while nothing has come, and the worker waits. Here it is taken
off first.

And when the network dies without a word, each connection that a process holds is found dead only when it is used. What
is asked over such a one is asked once more over a new one, so that no step fails for it. What was heard the first time
after all is a doubled message.
"""

import base64
import os
import uuid
from collections.abc import Callable
from typing import Any

import orjson
import redis
from kombu.transport import redis as transport

_NOBODY_ACCEPTS = "application/octet-stream"


class QoS(transport.QoS):
    """What the broker did not hear it hands out again after the visibility timeout, and a step finds nothing to do."""

    _quick_ack: Callable[[str], None]  # the stubs leave it out

    def ack(self, delivery_tag: str) -> None:
        try:
            super().ack(delivery_tag)
        finally:
            self._quick_ack(delivery_tag)

    def reject(self, delivery_tag: str, requeue: bool = False) -> None:
        try:
            super().reject(delivery_tag, requeue=requeue)
        finally:
            self._quick_ack(delivery_tag)


class Channel(transport.Channel):
    QoS = QoS

    def _get_client(self) -> type[redis.Redis]:
        return _Client

    def _connparams(self, asynchronous: bool = False) -> dict[str, Any]:
        """Of the connections that the event loop listens on, which must never wait, or of those that ask and wait."""
        params: dict[str, Any] = super()._connparams(asynchronous)  # type: ignore[misc]  # the stubs leave it out
        if asynchronous:
            return {**params, "connection_class": self._listening(params["connection_class"])}
        return {**params, "retry_on_timeout": True}

    def _listening(self, kind: type[redis.Connection]) -> type:
        return type("Connection", (_Listening, kind), {"cycle": self.connection.cycle})


class _Listening:
    """A connection that leaves the event loop before it is closed."""

    cycle: Any
    pid: int
    _sock: Any

    def disconnect(self, *args: Any, **kwargs: Any) -> None:
        # A child's event loop is its parent's, who still listens.
        if self._sock is not None and os.getpid() == self.pid:
            self.cycle._unregister_from_poll(self._sock.fileno())
        super().disconnect(*args, **kwargs)  # type: ignore[misc]  # of the class it is mixed into


class Transport(transport.Transport):
    Channel = Channel


class _Client(redis.Redis):
    def parse_response(self, connection: Any, command_name: str, **options: Any) -> Any:
        answer: Any = super().parse_response(connection, command_name, **options)  # type: ignore[no-untyped-call]
        if command_name == "BRPOP" and answer:
            queue, item = answer
            return queue, item if _is_envelope(item) else _enveloped(queue, item)
        return answer


def _is_envelope(item: bytes) -> bool:
    """Whether kombu will find in it what it reads before it asks anybody about an error."""
    try:
        message = orjson.loads(item)
        properties = message["properties"]
        base64.b64decode(message["body"]) if properties.get("body_encoding") == "base64" else str(
            message["body"]
        )
        return (
            isinstance(message.get("headers"), dict)
            and isinstance(properties["delivery_info"], dict)
            and isinstance(properties["delivery_tag"], str)
        )
    except (ValueError, TypeError, KeyError, AttributeError):
        return False


def _enveloped(queue: bytes, item: bytes) -> bytes:
    """A message whose body is the item as it came, and whose type nobody accepts."""
    return orjson.dumps(
        {
            "body": base64.b64encode(item).decode(),
            "content-type": _NOBODY_ACCEPTS,
            "content-encoding": "binary",
            "headers": {},
            "properties": {
                "body_encoding": "base64",
                "delivery_tag": str(uuid.uuid4()),
                "delivery_info": {"exchange": "", "routing_key": queue.decode(errors="replace")},
            },
        }
    )
