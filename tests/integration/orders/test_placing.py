"""Placing: one statement, one order for a key, and nothing half written."""

from dataclasses import replace
from functools import partial

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from orders import sql
from orders.links import order_url
from orders.models import Order, OrderEvent, OrderLine, Payment
from orders.placing import KeyReused, Placed, StillBeingPlaced, place
from orders.states import EventKind, OrderStatus
from tests.making import at_once, draft

pytestmark = pytest.mark.django_db(transaction=True)


def test_all_of_an_order_is_written_and_it_is_due() -> None:
    placed = place(draft([("KETTLE", 2), ("MUG", 3)], price=1_000), wait=False)
    order = Order.objects.get(pk=placed.id)
    assert (order.status, order.total_minor, order.tax_minor) == (OrderStatus.PLACED, 5_000, 833)
    assert [(line.sku, line.quantity) for line in order.lines.all()] == [("KETTLE", 2), ("MUG", 3)]
    assert (order.payment.amount_minor, order.payment.status) == (5_000, Payment.Status.PENDING)
    assert [event.kind for event in order.events.all()] == [EventKind.PLACED]
    assert order.due_at == order.placed_at
    assert (placed.number, placed.url, placed.created) == (order.number, order_url(order.token), True)


def test_placing_is_one_round_trip() -> None:
    """The statement goes past Django's cursor, so whatever Django itself would send besides shows here."""
    connection.ensure_connection()
    with CaptureQueriesContext(connection) as queries:
        place(draft(), wait=False)
    assert queries.captured_queries == []


def test_cash_on_delivery_has_no_payment() -> None:
    placed = place(draft(card=None), wait=False)
    assert not Payment.objects.filter(order_id=placed.id).exists()


def test_the_same_key_and_request_get_the_same_order() -> None:
    first = place(draft(key="k1"), wait=False)
    again = place(draft(key="k1"), wait=False)
    assert (again.id, again.token, again.total_minor) == (first.id, first.token, first.total_minor)
    assert not again.created


def test_the_same_key_with_another_request_is_refused() -> None:
    first = place(draft(key="k1"), wait=False)
    with pytest.raises(KeyReused) as refusal:
        place(draft([("KETTLE", 9)], key="k1", fingerprint="0" * 64), wait=False)
    assert refusal.value.placed.number == first.number
    assert OrderLine.objects.get().quantity == 1


@pytest.mark.parametrize("wait", [True, False])
def test_twenty_at_once_make_one_order(wait: bool) -> None:
    answers = at_once(lambda _: place(draft(key="rush"), wait=wait), 20)
    placed = [answer for answer in answers if isinstance(answer, Placed)]
    assert {type(answer) for answer in answers} <= ({Placed} if wait else {Placed, StillBeingPlaced})
    assert len({answer.id for answer in placed}) == 1
    assert sum(answer.created for answer in placed) == 1
    assert Order.objects.count() == OrderEvent.objects.count() == 1


def test_a_key_that_is_being_handled_is_said_to_be() -> None:
    """While another connection holds the key's lock, the API hears so and a browser's form waits its turn."""
    from django.db import transaction

    def hold_or_try(number: int) -> object:
        if number:
            return at_held.wait(30) and place(draft(key="held"), wait=False)
        with transaction.atomic():
            place(draft(key="held"), wait=False)
            at_held.set()
            tried.wait(30)
        return None

    import threading

    at_held, tried = threading.Event(), threading.Event()

    def work(number: int) -> object:
        try:
            return hold_or_try(number)
        finally:
            if number:
                tried.set()

    _, second = at_once(work, 2)
    assert isinstance(second, StillBeingPlaced)
    assert Order.objects.count() == 1


def test_an_order_survives_the_death_of_a_kept_connection() -> None:
    first = place(draft(), wait=False)
    for retries in (None, first.id):
        [(pid,)] = sql.rows("SELECT pg_backend_pid()", {})
        at_once(partial(_terminate, pid), 1)
        assert place(replace(draft(key=f"after {retries}"), retries=retries), wait=False).created


def _terminate(pid: int, _number: int) -> None:
    sql.rows("SELECT pg_terminate_backend(%(pid)s)", {"pid": pid})


@pytest.mark.parametrize(
    ("statement", "what"),
    [
        ("UPDATE orders_orderline SET quantity = 99", "orders_orderline is written once: UPDATE refused"),
        ("DELETE FROM orders_orderline", "orders_orderline is written once: DELETE refused"),
        (
            "UPDATE orders_orderevent SET kind = 'order.paid'",
            "orders_orderevent is written once: UPDATE refused",
        ),
        ("DELETE FROM orders_orderevent", "orders_orderevent is written once: DELETE refused"),
    ],
)
def test_what_was_ordered_and_what_happened_cannot_be_rewritten(statement: str, what: str) -> None:
    from django.db import IntegrityError

    place(draft(), wait=False)
    with pytest.raises(IntegrityError, match=what), connection.cursor() as cursor:
        cursor.execute(statement)
