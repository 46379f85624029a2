"""No order is forgotten."""

from datetime import timedelta

import pytest
from django.utils import timezone

from orders.models import Finding, OrderEvent, Payment
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


def stand_still(order_id: int, hours: int) -> None:
    corrupt(
        "UPDATE orders_orderevent SET at = now() - make_interval(hours => %s) WHERE order_id = %s",
        hours,
        order_id,
    )
    corrupt("UPDATE orders_order SET due_at = now() + interval '1 minute' WHERE id = %s", order_id)


def test_an_order_that_is_tried_for_ever(shop: Shop) -> None:
    stand_still(shop["placed"], 26)
    problem = shop.only_problem("accounted")
    assert problem.startswith(
        f"Order {shop.number('placed')} is placed and has stood still for 1 day 02:00:0"
    )
    assert problem.endswith("it has no dead letter, no hold and no finding.")


def test_an_order_that_is_within_its_day(shop: Shop) -> None:
    stand_still(shop["placed"], 24)
    assert shop.problems() == {}


def test_an_order_that_had_ended_long_ago_and_is_open_again(shop: Shop) -> None:
    stand_still(shop["completed"], 1_000)
    corrupt("UPDATE orders_order SET ended_at = NULL WHERE id = %s", shop["completed"])
    assert "has stood still for 41 days 16:00:0" in shop.only_problem("accounted")
    OrderEvent.objects.create(order_id=shop["completed"], kind="order.replayed")
    assert shop.problems() == {}


@pytest.mark.parametrize("reason", ["dead letter", "hold", "finding"])
def test_what_a_person_is_told_of_may_stand_still(shop: Shop, reason: str) -> None:
    order_id = shop["placed"]
    stand_still(order_id, 26)
    if reason == "dead letter":
        bury(order_id, stops=False)
    elif reason == "hold":
        Payment.objects.filter(order=order_id).update(hold_until=timezone.now() + timedelta(minutes=5))
    else:
        Finding.objects.create(
            order_id=order_id, kind="charge_held", reference="pi_1", ours_minor=0, theirs_minor=1
        )
    assert shop.problems() == {}


def test_of_many_problems_some_are_told_and_the_rest_counted(empty_shop: Shop) -> None:
    for number in range(23):
        empty_shop.place(f"order {number}")
    corrupt("UPDATE orders_order SET due_at = NULL")
    problems = empty_shop.problems_of("accounted")
    assert len(problems) == 21
    assert problems[-1] == "… and 3 more like these."
