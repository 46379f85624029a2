"""A host vanishes in the middle of what it does: whatever it held is free again within seconds, wherever the server is.

Between the host and the server stands a network that goes half open: nothing arrives any more, and nobody is told. As
behind a load balancer, the server's own connection stays alive, so keepalives alone would find nothing. A real link is
cut by `./dev troubles --trouble host`.
"""

from collections.abc import Callable
from time import monotonic
from typing import Any

import pytest
from django.db import OperationalError, connection

from orders import scheduling
from orders.models import Order, OrderEvent
from orders.states import OrderStatus
from orders.workflow import Step, work_of
from tests.integration.database.conftest import OtherHost
from tests.making import place_order, stock
from tests.waiting import wait_until
from workers.models import DeadLetter
from workers.relay.outbox import _LOCK as PUBLISHING
from workers.relay.outbox import _PUBLISHER, Outbox
from workers.steps import perform
from workers.tasks import STEP_TASKS

pytestmark = pytest.mark.django_db(transaction=True)

SOON = 30.0  # seconds in which all that a host held must go on elsewhere
LONGEST_WAIT = 8.0  # seconds that a worker may wait for one lock, on a busy machine


def reserve(order: Order) -> bool:
    """As a worker does; whether it got what it needed. Measures that it did not wait for longer than it may."""
    scheduling.make_due([order.pk], only=[OrderStatus.PLACED])
    scheduling.claim(10)
    began = monotonic()
    try:
        perform(STEP_TASKS[Step.RESERVE], Step.RESERVE, work_of(Step.RESERVE), [order.pk])
    except OperationalError:
        assert monotonic() - began < LONGEST_WAIT
        order.refresh_from_db()
        assert order.attempts == 0, "what could not be tried does not count"
        return False
    order.refresh_from_db()
    return order.status == OrderStatus.RESERVED


def test_stock_that_it_held_is_sold_elsewhere(other_host: OtherHost) -> None:
    stock(KETTLE=5)
    order = place_order()
    other_host.says(
        "SELECT sku FROM orders_stockitem WHERE sku = 'KETTLE' FOR NO KEY UPDATE",
        "UPDATE orders_stockitem SET on_hand = on_hand - 1, reserved = reserved + 1 RETURNING sku",
    )
    other_host.vanish()
    began = monotonic()
    assert not reserve(order), "while the server believes in the host, its rows stay locked"
    wait_until(lambda: reserve(order), "the stock to be free", SOON)
    assert monotonic() - began < SOON
    assert not DeadLetter.objects.exists()


def free(statement: str) -> Callable[[], Any]:
    def look() -> bool:
        try:
            with connection.cursor() as cursor:
                cursor.execute(statement)
                return bool(cursor.fetchone()[0])
        except OperationalError:
            return False

    return look


def test_so_is_whatever_else_it_held(other_host: OtherHost, third_host: OtherHost, broker: Any) -> None:
    """An order, the counter of invoices, a lock of a transaction; and a lock of a session, for which no transaction
    is open: the right to publish events."""
    place_order()
    locks = {
        "SELECT id FROM orders_order FOR NO KEY UPDATE NOWAIT": "the order",
        "SELECT pg_try_advisory_xact_lock(17)": "a lock of a transaction",
    }
    assert all(row and row[0] for row in other_host.says(*locks))
    third_host.says_outside(PUBLISHING.replace("%(publisher)s", str(_PUBLISHER)))
    other_host.vanish()
    third_host.vanish()
    began = monotonic()
    assert not any(free(lock)() for lock in locks)
    assert Outbox().publish() == 0
    for lock, what in locks.items():
        wait_until(free(lock), f"{what} to be free", SOON)
    wait_until(Outbox().publish, "events to be published", SOON)
    assert monotonic() - began < SOON
    assert not OrderEvent.objects.filter(published_at=None).exists()
