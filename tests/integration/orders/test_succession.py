"""An order that failed is tried again once, however often and from however many screens that is asked for."""

import uuid
from dataclasses import replace

import pytest

from orders.models import Order, Successor
from orders.models.successor import successor_of
from orders.placing import AlreadyRetried, Placed, place
from orders.scheduling import advance
from orders.states import OrderStatus
from tests.making import at_once, draft, place_order

pytestmark = pytest.mark.django_db(transaction=True)


def failed_order(status: OrderStatus = OrderStatus.PAYMENT_DECLINED) -> Order:
    order = place_order()
    advance([order.pk], [OrderStatus.PLACED], OrderStatus.RESERVED)
    advance([order.pk], tuple(OrderStatus), status, then="end")
    order.refresh_from_db()
    return order


def retry(order: Order, key: str = "") -> Placed:
    return place(replace(draft(key=key or str(uuid.uuid4())), retries=order.pk), wait=True)


@pytest.mark.parametrize(
    "status", [OrderStatus.PAYMENT_DECLINED, OrderStatus.OUT_OF_STOCK, OrderStatus.CANCELLED]
)
def test_a_second_retry_is_refused_and_writes_nothing(status: OrderStatus) -> None:
    failed = failed_order(status)
    placed = retry(failed)
    with pytest.raises(AlreadyRetried):
        retry(failed)
    assert Order.objects.count() == 2
    assert successor_of(failed) == Order.objects.get(pk=placed.id)


def test_of_many_retries_at_once_one_is_placed() -> None:
    failed = failed_order()
    answers = at_once(lambda _: retry(failed), 8)
    assert [type(answer) for answer in answers].count(Placed) == 1
    assert [type(answer) for answer in answers].count(AlreadyRetried) == 7
    assert Order.objects.count() == 2
    assert Successor.objects.get().failed_id == failed.pk


def test_the_same_retry_again_is_the_same_order() -> None:
    failed = failed_order()
    first, again = retry(failed, "again"), retry(failed, "again")
    assert (first.id, again.created) == (again.id, False)


def test_the_newest_of_several_tries_stands_in_the_place_of_all() -> None:
    first = failed_order()
    second = Order.objects.get(pk=retry(first).id)
    advance([second.pk], [OrderStatus.PLACED], OrderStatus.OUT_OF_STOCK, then="end")
    third = Order.objects.get(pk=retry(second).id)
    assert successor_of(first) == successor_of(second) == third
    assert successor_of(third) is None
    with pytest.raises(AlreadyRetried):
        retry(first)


def test_an_order_of_its_own_succeeds_nothing() -> None:
    failed = failed_order()
    place_order()
    assert successor_of(failed) is None
