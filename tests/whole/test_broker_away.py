"""The broker dies, and comes back empty: orders are taken all the same, and none is lost."""

from typing import Any

import redis

from tests.conftest import RunningStack
from tests.waiting import wait_for


def completed(running: RunningStack, placed: list[dict[str, Any]], seconds: float) -> list[dict[str, Any]]:
    """Wait until all these orders are completed."""

    def look() -> list[dict[str, Any]] | None:
        orders = [running.order(answer["token"]) for answer in placed]
        return orders if {order["status"] for order in orders} == {"completed"} else None

    return wait_for(look, f"{len(placed)} orders to be completed", seconds)


def test_orders_are_accepted_without_a_broker_and_completed_when_it_is_back(stack: RunningStack) -> None:
    with stack.without("valkey"):
        placed = [stack.place() for _ in range(20)]
        assert {answer["status_code"] for answer in placed} == {201}
    completed(stack, placed, seconds=30)


def test_a_broker_that_forgets_everything_loses_nothing(stack: RunningStack) -> None:
    client = redis.Redis.from_url(stack.broker_url)
    placed = []
    for _ in range(5):
        placed += [stack.place() for _ in range(5)]
        client.flushall()
    client.close()
    for order in completed(stack, placed, seconds=60):
        number = order["number"]
        for provider in ("payments", "sms", "carrier", "mailbox"):
            assert len(stack.ledger(provider, number)) == 1
