"""Orders that kill their worker, and a provider that is away: their neighbours, and the stack, go on."""

from collections.abc import Iterator
from typing import Any

import pytest
import requests
import uvloop

import bench.running_stack
from bench import buyers
from bench.chaos import poison, poisonous
from orders.scheduling import LEASE
from tests.conftest import RunningStack
from tests.waiting import wait_for


@pytest.fixture(scope="module")
def running(stack: RunningStack) -> Iterator[RunningStack]:
    """The stack while its payment provider poisons the worker that charges one certain card."""
    with stack.told("payment", PAYMENT_GATEWAY=f"{poisonous.__name__}.PoisonousGateway"):
        yield stack
    buyers.stock(outside(stack), {"BF-1000": 1_000})  # as it was


def outside(running: RunningStack) -> bench.running_stack.RunningStack:
    """The stack as the benchmarks know it."""
    return bench.running_stack.RunningStack(running.stack.environment(), dict)


def placed(running: RunningStack, count: int) -> list[int]:
    """Place so many orders of what there is plenty of; returns their ids."""
    numbers = [running.place(sku="BF-1000")["number"] for _ in range(count)]
    return [int(number.removeprefix("S-")) - 100_000 for number in numbers]


def ended(running: RunningStack, ids: list[int]) -> list[tuple[str, float]]:
    """Wait until all of them have ended; (state, seconds from placed to ended) each."""

    def look() -> list[tuple[Any, ...]] | None:
        rows = running.sql(
            "SELECT status, extract(epoch FROM ended_at - placed_at)::float FROM orders_order"
            " WHERE id = ANY(%s) AND ended_at IS NOT NULL",
            ids,
        )
        return rows if len(rows) == len(ids) else None

    return [(row[0], row[1]) for row in wait_for(look, f"{len(ids)} orders to end")]


def test_poison_is_set_apart_after_three_drives_and_its_neighbours_do_not_wait_for_a_lease(
    running: RunningStack,
) -> None:
    with running.without("relay"):  # so that they are one batch
        before = placed(running, 20)
        token = running.place(sku="BF-1000", card=poisonous.CARD)["token"]
        after = placed(running, 20)
    neighbours = ended(running, before + after)
    assert {state for state, _ in neighbours} == {"completed"}

    def letter() -> tuple[Any, ...] | None:
        rows = running.sql(
            "SELECT o.status, d.task, d.error_class, o.due_at, o.attempts_total FROM workers_deadletter d"
            " JOIN orders_order o ON o.id = d.order_id WHERE o.token = %s",
            token,
        )
        return rows[0] if rows else None

    status, task, error, due_at, attempts = wait_for(letter, "the dead letter")
    assert (status, task, due_at) == ("reserved", "payment.charge", None)
    assert error.endswith("Poison")
    assert attempts == 3
    [(lost,)] = running.sql(
        "SELECT extract(epoch FROM max(at) - min(at))::float FROM orders_orderevent e"
        " JOIN orders_order o ON o.id = e.order_id WHERE o.token = %s",
        token,
    )
    assert lost < LEASE.total_seconds()


def faults(running: RunningStack, provider: str, **values: Any) -> None:
    requests.post(f"{running.stack.url(provider)}/faults", json=values, timeout=10).raise_for_status()


def test_a_provider_that_is_away_is_left_in_peace_and_everything_goes_on_when_it_is_back(
    running: RunningStack,
) -> None:
    faults(running, "payments", down=True)
    try:
        ids = placed(running, 60)

        def all_parked() -> bool | None:
            [(parked,)] = running.sql(
                "SELECT count(*) FROM orders_order o JOIN workers_breaker b ON b.parked_until = o.due_at"
                " WHERE o.id = ANY(%s) AND b.provider = 'payments' AND o.attempts = 0",
                ids,
            )
            return parked >= len(ids) - 1 or None  # but for the one that is tried

        wait_for(all_parked, "all of them to be parked")
        tried = running.sql("SELECT sum(failures) FROM orders_payment WHERE order_id = ANY(%s)", ids)

        def probes() -> bool | None:
            [(failed,)] = running.sql("SELECT failed_probes FROM workers_breaker WHERE provider = 'payments'")
            return failed >= 2 or None

        wait_for(probes, "two probes to fail")
        wait_for(all_parked, "the probe to be parked again")
        assert running.sql("SELECT sum(failures) FROM orders_payment WHERE order_id = ANY(%s)", ids) == tried
    finally:
        faults(running, "payments", down=False)
    assert {state for state, _ in ended(running, ids)} == {"completed"}
    for order_id in ids:
        [entry] = running.ledger("payments", f"S-{order_id + 100_000}")
        assert entry["kind"] == "captured"


def test_what_the_neighbours_feel_is_measured_beside_a_clean_round(running: RunningStack) -> None:
    found = uvloop.run(poison.rounds(outside(running), 1, 40))
    assert poison.problems(found, 40) == []
    [(clean, poisoned)] = found
    assert (clean.attempts, poisoned.attempts) == (0, 3)
