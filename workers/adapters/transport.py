"""The broker's transport: kombu's for Redis, with four of its weaknesses mended.

1. An item in a queue is no message at all. Kombu fails to read it, and the worker dies. Here the item gets an envelope
   of a content type that nobody accepts, and is a message that cannot be decoded (workers.adapters.consumer).
2. The broker hangs while a message is acknowledged. Kombu counts the message as unacknowledged for ever, so a pool that
   takes one message for each process never asks for another. Here it counts as acknowledged in any case.
3. A connection on the event loop dies. Kombu takes it off the loop after it was closed. If a child was forked
   meanwhile, the child holds it too: it stays on the loop, the next connection with its number is read before anything
   has come, and the worker hangs. Here it is taken off before it is closed.
4. The network dies silently. Each connection is found dead only when it is used. Here a command is then repeated over a
   new connection, so that no step fails; if the first one did arrive, a message is doubled.

Relies on kombu 5.7: QoS._quick_ack, Channel._get_client and _connparams, the cycle's _unregister_from_poll, and what
_is_envelope looks for; on redis-py 8.1: Redis.parse_response gets the answer to a BRPOP, a connection's `pid`, `_sock`
and `disconnect`, and `retry_on_timeout`.
Noticed by: tests/integration/workers/test_transport.py, tests/whole/test_unreadable_messages.py.
"""

import base64
import os
import uuid
from collections.abc import Callable
from typing import Any, cast

import orjson
import redis
from kombu.transport import redis as transport

_NOBODY_ACCEPTS = "application/octet-stream"


class QoS(transport.QoS):
    """A message that the broker did not see acknowledged comes again after the visibility timeout."""

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
        """`asynchronous` connections are on the event loop and must never wait; the others send a command and wait."""
        params: dict[str, Any] = cast(Any, super())._connparams(asynchronous)  # the stubs leave it out
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
        # A child's event loop is its parent's, which still listens.
        if self._sock is not None and os.getpid() == self.pid:
            self.cycle._unregister_from_poll(self._sock.fileno())
        cast(Any, super()).disconnect(*args, **kwargs)


class Transport(transport.Transport):
    Channel = Channel


class _Client(redis.Redis):
    def parse_response(self, connection: Any, command_name: str, **options: Any) -> Any:
        answer = cast(Any, super()).parse_response(connection, command_name, **options)
        if command_name == "BRPOP" and answer:
            queue, item = answer
            return queue, item if _is_envelope(item) else _enveloped(queue, item)
        return answer


def _is_envelope(item: bytes) -> bool:
    """Whether kombu finds what it reads before any error handler of ours is called."""
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
    """A message of a content type that nobody accepts, whose body is the item as it came."""
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
