"""The relay dispatches PDFs and printouts that are due: fresh ones together, those with an attempt alone."""

import base64
from collections.abc import Iterator
from datetime import date, timedelta
from typing import Any

import orjson
import pytest
import redis
from django.utils import timezone

from orders.models import Document, Printout
from orders.printouts.asking import ask
from tests.making import place_order
from workers.relay.duties import Relay

pytestmark = pytest.mark.django_db(transaction=True)


def documents(count: int) -> list[Document]:
    return [
        Document.objects.create(order=order, kind="invoice", serial=serial, seller="Us")
        for serial, order in enumerate((place_order() for _ in range(count)), start=1)
    ]


def dispatched(broker: redis.Redis) -> Iterator[tuple[str, Any]]:
    """Task and first argument of every message in the queue."""
    for message in reversed(broker.lrange("documents", 0, -1)):
        read = orjson.loads(message)
        yield read["headers"]["task"], orjson.loads(base64.b64decode(read["body"]))[0][0]


def while_quiet(relay: Relay) -> None:
    """The orders are dispatched, and then there was no due order for longer than the relay waits."""
    relay.run_once()
    relay.dispatcher.last_due -= 3_600
    relay.run_once()


def test_fresh_documents_are_rung_together_and_suspects_alone(broker: redis.Redis) -> None:
    first, second, third, fourth = documents(4)
    Document.objects.filter(pk__in=[second.pk, fourth.pk]).update(attempts=1)
    while_quiet(Relay())
    assert sorted(dispatched(broker), key=lambda one: -len(one[1])) == [
        ("documents.render", [first.pk, third.pk]),
        ("documents.render", [second.pk]),
        ("documents.render", [fourth.pk]),
    ]
    assert not Document.objects.filter(due_at__lt=timezone.now()).exists()


def test_nothing_is_rung_while_their_queue_holds_anything(broker: redis.Redis) -> None:
    documents(1)
    relay = Relay()
    while_quiet(relay)
    assert broker.llen("documents") == 1
    Document.objects.update(due_at=timezone.now() - timedelta(seconds=1))
    while_quiet(relay)
    assert broker.llen("documents") == 1


def test_a_printout_is_rung_for_though_orders_are_due(broker: redis.Redis) -> None:
    documents(1)
    wanted = ask(Printout.Kind.PICK_LIST, by="ada", since=date(2026, 11, 21), until=date(2026, 11, 21))
    Relay().run_once()
    assert list(dispatched(broker)) == [("documents.printout", wanted.pk)]
    wanted.refresh_from_db()
    assert (wanted.attempts, wanted.holder) == (0, None)
    assert wanted.due_at
    assert timezone.now() < wanted.due_at < timezone.now() + timedelta(seconds=30)
