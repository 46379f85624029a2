"""No order is forgotten."""

import pytest

from tests.integration.audit.conftest import Shop, corrupt
from workers.models import DeadLetter


def bury(order_id: int, *, stops: bool = True) -> DeadLetter:
    return DeadLetter.objects.create(
        order_id=order_id, task="payment.charge", error_class="Poison", message="", stops_order=stops
    )


def test_an_order_that_nobody_will_look_at(shop: Shop) -> None:
    corrupt("UPDATE orders_order SET due_at = NULL WHERE id = %s", shop["placed"])
    problem = shop.only_problem("accounted")
    assert problem == f"Order {shop.number('placed')} is placed, and nothing is due for it: it is forgotten."


def test_an_order_that_is_overdue(shop: Shop) -> None:
    corrupt("UPDATE orders_order SET due_at = now() - interval '1 hour' WHERE id = %s", shop["placed"])
    problem = shop.only_problem("accounted")
    assert problem.startswith(f"Order {shop.number('placed')} is placed and has been due for 01:00:0")


def test_an_order_that_is_a_little_late(shop: Shop) -> None:
    corrupt("UPDATE orders_order SET due_at = now() - interval '4 minutes' WHERE id = %s", shop["placed"])
    assert shop.problems() == {}


@pytest.mark.parametrize("name", ["completed", "cancelled"])
def test_an_end_that_was_never_closed(shop: Shop, name: str) -> None:
    corrupt("UPDATE orders_order SET ended_at = NULL WHERE id = %s", shop[name])
    assert shop.only_problem("accounted").startswith(
        f"Order {shop.number(name)} is {name}, but was never closed"
    )


def test_an_order_marked_as_ended_too_early(shop: Shop) -> None:
    corrupt("UPDATE orders_order SET due_at = NULL, ended_at = now() WHERE id = %s", shop["placed"])
    assert shop.only_problem("accounted").startswith(
        f"Order {shop.number('placed')} is placed, which is no end"
    )


def test_a_dead_letter_accounts_for_its_order_until_it_is_resolved(shop: Shop) -> None:
    corrupt("UPDATE orders_order SET due_at = NULL WHERE id = %s", shop["placed"])
    letter = bury(shop["placed"])
    assert shop.problems() == {}
    corrupt("UPDATE workers_deadletter SET resolved_at = now() WHERE id = %s", letter.pk)
    assert shop.number("placed") in shop.only_problem("accounted")


def test_a_dead_letter_that_does_not_stop_its_order_is_no_excuse(shop: Shop) -> None:
    corrupt("UPDATE orders_order SET due_at = NULL WHERE id = %s", shop["placed"])
    bury(shop["placed"], stops=False)
    assert shop.number("placed") in shop.only_problem("accounted")


def test_of_many_problems_some_are_told_and_the_rest_counted(empty_shop: Shop) -> None:
    for number in range(23):
        empty_shop.place(f"order {number}")
    corrupt("UPDATE orders_order SET due_at = NULL")
    problems = empty_shop.problems_of("accounted")
    assert len(problems) == 21
    assert problems[-1] == "… and 3 more like these."
