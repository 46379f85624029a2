"""The broker dies, and comes back empty: orders are taken all the same, and none is lost."""

import redis

from tests.conftest import House
from tests.waiting import wait_for


def unfinished(house: House) -> int:
    [(count,)] = house.sql("SELECT count(*) FROM orders_order WHERE due_at IS NOT NULL")
    return int(count)


def test_orders_are_accepted_without_a_broker_and_completed_when_it_is_back(stack: House) -> None:
    with stack.without("valkey"):
        placed = [stack.place() for _ in range(20)]
        assert {answer["status_code"] for answer in placed} == {201}
    wait_for(lambda: True if not unfinished(stack) else None, "all orders to be completed", seconds=30)
    assert {stack.order(answer["token"])["status"] for answer in placed} == {"completed"}


def test_a_broker_that_forgets_everything_loses_nothing(stack: House) -> None:
    client = redis.Redis.from_url(stack.broker_url)
    placed = []
    for _ in range(5):
        placed += [stack.place() for _ in range(5)]
        client.flushall()
    client.close()
    wait_for(lambda: True if not unfinished(stack) else None, "all orders to be completed", seconds=60)
    orders = [stack.order(answer["token"]) for answer in placed]
    assert {order["status"] for order in orders} == {"completed"}
    for order in orders:
        number = order["number"]
        for provider in ("payments", "sms", "carrier", "mailbox"):
            assert len(stack.ledger(provider, number)) == 1
