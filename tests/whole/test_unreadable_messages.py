"""Messages that no task can be made of become dead letters; the workers live on, and so do the orders."""

import base64
import json
import uuid
from contextlib import suppress
from typing import Any

import psutil
import pytest
import redis

from stack.environment import MARKER
from tests.conftest import RunningStack
from tests.waiting import wait_for

QUEUE = "sms"  # served by the pool that serves e-mail too


def message(
    body: bytes, *, task: str | None = "sms.send", kind: str = "application/json", **headers: Any
) -> bytes:
    """A message as Celery puts it into a list of Valkey."""
    return json.dumps(
        {
            "body": base64.b64encode(body).decode(),
            "content-encoding": "utf-8",
            "content-type": kind,
            "headers": {**({"task": task, "id": str(uuid.uuid4())} if task else {}), **headers},
            "properties": {
                "body_encoding": "base64",
                "delivery_info": {"exchange": "", "routing_key": QUEUE},
                "delivery_tag": str(uuid.uuid4()),
            },
        }
    ).encode()


NO_ORDERS = b"[[[]], {}, {}]"
UNREADABLE = {
    "no envelope": (b"rubbish", "unreadable"),
    "not even text": (b"\xff\xfe\x00", "unreadable"),
    "JSON, but no envelope": (b"17", "unreadable"),
    "an envelope without its tag": (b'{"body": "W10=", "headers": {}, "properties": {}}', "unreadable"),
    "a body that is no JSON": (message(b"{"), "sms.send"),
    "a pickle": (message(b"cos\nsystem\n.", kind="application/x-python-serialize"), "sms.send"),
    "JSON, but no arguments": (message(b'{"a": 1}'), "sms.send"),
    "a number": (message(b"17"), "sms.send"),
    "no task": (message(b'{"a": 1}', task=None), "unreadable"),
    "an unknown task": (message(NO_ORDERS, task="sms.sing"), "sms.sing"),
    "too many arguments": (message(b"[[[1], 2, 3], {}, {}]"), "sms.send"),
}


def workers(running: RunningStack) -> set[int]:
    """The main processes of this stack's Celery nodes."""
    found = set()
    for process in psutil.process_iter():
        with suppress(psutil.Error):
            if (
                process.environ().get(MARKER) == str(running.stack.layout.base)
                and "worker" in process.cmdline()
            ):
                found.add(process.pid)
    return found


def letters(running: RunningStack) -> list[tuple[Any, ...]]:
    return running.sql("SELECT id, task, subject, payload, error_class FROM workers_deadletter ORDER BY id")


def taken(broker: redis.Redis) -> set[bytes | str]:
    """The messages that some worker took and has not acknowledged. One that it took from a broker which died stays
    among them for an hour: nobody may acknowledge it any more, and its orders are driven by their lease."""
    return {tag for node in broker.scan_iter(match="unacked.*") for tag in broker.hkeys(node)}


@pytest.fixture
def broker(stack: RunningStack) -> Any:
    with redis.Redis.from_url(stack.broker_url) as client:
        yield client


@pytest.mark.parametrize("what", UNREADABLE)
def test_it_becomes_a_dead_letter_and_no_worker_dies(
    stack: RunningStack, broker: redis.Redis, what: str
) -> None:
    raw, task = UNREADABLE[what]
    before = {letter[0] for letter in letters(stack)}
    held = taken(broker)
    broker.lpush(QUEUE, raw)
    _, named, subject, payload, error = wait_for(
        lambda: next((letter for letter in letters(stack) if letter[0] not in before), None),
        "its dead letter",
    )
    assert (named, subject) == (task, f"A message in the queue {QUEUE}")
    assert payload
    assert error
    wait_for(lambda: True if taken(broker) <= held else None, "the message to be acknowledged")


def test_orders_go_on_beside_them(stack: RunningStack, broker: redis.Redis) -> None:
    before = workers(stack)
    assert before
    for raw, _ in UNREADABLE.values():
        broker.lpush(QUEUE, raw)
    stack.ended(stack.place()["token"], "completed")
    assert workers(stack) == before


def test_while_the_database_is_away_the_message_stays_with_the_broker(
    stack: RunningStack, broker: redis.Redis
) -> None:
    before = {letter[0] for letter in letters(stack)}
    with stack.without("postgres"):
        held = taken(broker)
        broker.lpush(QUEUE, b"unreadable in the dark")
        wait_for(lambda: taken(broker) - held or None, "a worker to take it")
    wait_for(
        lambda: next(
            (one for one in letters(stack) if one[0] not in before and one[3] == "unreadable in the dark"),
            None,
        ),
        "its dead letter",
    )
