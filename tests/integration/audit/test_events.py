"""The log of every order is made of legal steps and leads to the state the order is in."""

import pytest

from tests.integration.audit.conftest import Shop, corrupt

FORGET = "DELETE FROM orders_orderevent WHERE order_id = %s AND kind = %s"
CLAIM = "INSERT INTO orders_orderevent (order_id, kind) VALUES (%s, %s)"


def test_a_state_that_the_log_does_not_lead_to(shop: Shop) -> None:
    corrupt(FORGET, shop["completed"], "order.completed")
    problem = shop.only_problem("events")
    assert problem == f"Order {shop.number('completed')} is completed, but its log ends with paid."


def test_a_step_that_is_not_legal(shop: Shop) -> None:
    corrupt(FORGET, shop["completed"], "order.reserved")
    problem = shop.only_problem("events")
    assert (
        problem
        == f"Order {shop.number('completed')} went on from placed with order.paid, which is no legal step."
    )


@pytest.mark.parametrize("kind", ["order.placed", "order.completed", "order.reserved", "order.shipped"])
def test_a_step_out_of_an_end(shop: Shop, kind: str) -> None:
    corrupt(CLAIM, shop["cancelled"], kind)
    problems = shop.problems_of("events")
    assert (
        f"Order {shop.number('cancelled')} went on from cancelled with {kind}, which is no legal step."
        in problems
    )


def test_a_log_that_does_not_begin_with_the_placing(shop: Shop) -> None:
    corrupt(FORGET, shop["cod"], "order.placed")
    problem = shop.only_problem("events")
    assert problem == f"Order {shop.number('cod')} begins its log with order.reserved, not with order.placed."


def test_an_empty_log(shop: Shop) -> None:
    corrupt("DELETE FROM orders_orderevent WHERE order_id = %s", shop["placed"])
    problem = shop.only_problem("events")
    assert problem == f"Order {shop.number('placed')} is placed, but its log ends with nothing: it is empty."


def test_an_event_of_an_unknown_kind(shop: Shop) -> None:
    corrupt(CLAIM, shop["cod"], "order.teleported")
    problem = shop.only_problem("events")
    assert (
        problem == f"Order {shop.number('cod')} has an event in its log of an unknown kind: order.teleported."
    )


def test_a_shipment_that_the_log_does_not_tell(shop: Shop) -> None:
    corrupt(FORGET, shop["cod"], "order.shipped")
    problem = shop.only_problem("events")
    assert (
        problem == f"Order {shop.number('cod')} has a booked shipment, but its log has order.shipped 0 times."
    )


def test_events_that_change_no_state_may_stand_anywhere(shop: Shop) -> None:
    corrupt(CLAIM, shop["cancelled"], "order.dead_lettered")
    corrupt(CLAIM, shop["cancelled"], "order.replayed")
    assert shop.problems() == {}
