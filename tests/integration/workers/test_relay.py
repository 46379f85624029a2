"""The relay: what is due is dispatched once, together with its like, and nothing is lost with the broker."""

import base64
import threading
from datetime import timedelta
from typing import Any

import orjson
import pytest
import redis
from django.db import transaction
from django.utils import timezone

from orders import inventory, scheduling
from orders.facts import facts_of
from orders.lease import MAX_ATTEMPTS
from orders.models import Order
from orders.placing import place
from orders.scheduling import claim
from orders.states import OrderStatus
from orders.workflow import SIDE_BY_SIDE, Step, remaining
from tests.emptying import believe_empty
from tests.making import at_once, draft, kinds, place_order, stock, unlocked
from tests.servers import Servers
from workers.celery import app
from workers.models import DeadLetter
from workers.queues import QueueName
from workers.relay.duties import Relay
from workers.steps import perform
from workers.tasks import STEP_TASKS
from workers.workflow import canvas

reserve = STEP_TASKS[Step.RESERVE]

pytestmark = pytest.mark.django_db(transaction=True)


def due_again(*orders: Order) -> None:
    """The leases of these orders have run out."""
    Order.objects.filter(pk__in=[order.pk for order in orders]).update(
        due_at=timezone.now() - timedelta(seconds=1)
    )


def lengths(broker: redis.Redis) -> dict[str, int]:
    return {name.value: broker.llen(name.value) for name in QueueName if broker.llen(name.value)}


def test_orders_at_the_same_point_are_rung_as_one(broker: redis.Redis) -> None:
    for _ in range(30):
        place_order()
    place_order(card=None)
    Relay().run_once()
    assert lengths(broker) == {"inventory": 2}  # one batch by card, one cash on delivery
    assert not claim(100)


def test_a_batch_has_a_hundred_at_most(broker: redis.Redis) -> None:
    for number in range(201):
        place(draft(key=str(number)), wait=False)
    Relay().run_once()
    assert lengths(broker) == {"inventory": 3}


def overlapping_claims() -> tuple[set[int], set[int]]:
    """What two relays get, the second of which claims while the first has not committed yet."""
    claimed, done = threading.Event(), threading.Event()

    def claimed_by(number: int) -> set[int]:
        if number:
            claimed.wait(30)
            try:
                return {due.order_id for due in claim(10)}
            finally:
                done.set()
        with transaction.atomic():
            mine = {due.order_id for due in claim(10)}
            claimed.set()
            done.wait(1)  # without the guard the second waits for our commit
        return mine

    first, second = at_once(claimed_by, 2)
    assert isinstance(first, set)
    assert isinstance(second, set)
    return first, second


def test_two_relays_never_claim_the_same_order() -> None:
    for _ in range(20):
        place_order()
    first, second = overlapping_claims()
    assert len(first) == len(second) == 10
    assert not first & second


def test_without_skip_locked_they_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scheduling, "_CLAIM", unlocked(scheduling._CLAIM))
    for _ in range(20):
        place_order()
    first, second = overlapping_claims()
    assert first & second


def test_it_claims_no_more_than_it_wants_whatever_the_planner_believes() -> None:
    place_order()
    believe_empty("orders_order")
    for _ in range(6):
        place_order()
    assert len(claim(2)) == 2


def test_while_enough_waits_the_crowd_gathers(broker: redis.Redis) -> None:
    for _ in range(8):
        broker.lpush(QueueName.PAYMENT.value, "waiting")
    order = place_order()
    Relay().run_once()
    order.refresh_from_db()
    assert order.attempts == 0


def test_an_order_waits_in_the_database_while_the_broker_is_away(
    servers: Servers, broker: redis.Redis
) -> None:
    relay = Relay()
    order = place_order()
    servers.stop("valkey")
    try:
        relay.run_once()
        order.refresh_from_db()
        assert (order.attempts, order.attempts_total) == (0, 0)
    finally:
        servers.start("valkey")
    relay.run_once()
    order.refresh_from_db()
    assert order.attempts == 1


def test_a_wiped_broker_is_noticed_and_everything_rung_again(broker: redis.Redis) -> None:
    orders = [place_order() for _ in range(5)]
    relay = Relay()
    relay.run_once()
    broker.flushall()
    relay.run_once()
    relay.run_once()
    assert lengths(broker) == {"inventory": 1}
    for order in orders:
        order.refresh_from_db()
        assert (order.attempts, order.attempts_total) == (1, 2)


def test_a_wipe_leaves_those_alone_that_wait_for_their_time(broker: redis.Redis) -> None:
    order = place_order()
    scheduling.schedule({order.pk: timezone.now() + timedelta(hours=1)}, alone=True)
    relay = Relay()
    broker.flushall()
    relay.run_once()
    relay.run_once()
    assert lengths(broker) == {}


def test_whoever_breaks_its_batch_is_found_in_two_steps_and_set_apart(broker: redis.Redis) -> None:
    """Dispatched together, then by tens, then alone; and after that it is poison."""
    orders = [place_order() for _ in range(25)]
    relay = Relay()
    for batches in (1, 3, 25):
        broker.delete(QueueName.INVENTORY.value)
        relay.run_once()
        assert lengths(broker) == {"inventory": batches}
        due_again(*orders)
    broker.delete(QueueName.INVENTORY.value)
    relay.run_once()
    letter = DeadLetter.objects.filter(order=orders[0]).get()
    assert letter.error_class.endswith("Poison")
    assert DeadLetter.objects.count() == 25
    orders[0].refresh_from_db()
    assert orders[0].due_at is None
    assert orders[0].attempts_total == MAX_ATTEMPTS
    assert kinds(orders[0])[-1] == "order.dead_lettered"


def test_who_only_waits_for_a_worker_is_no_poison(broker: redis.Redis) -> None:
    """Nobody serves the queue: the message of the first attempt still waits, so the order is not dispatched again."""
    order = place_order()
    relay = Relay()
    for _ in range(MAX_ATTEMPTS + 2):
        relay.run_once()
        due_again(order)
    order.refresh_from_db()
    assert lengths(broker) == {"inventory": 1}
    assert order.attempts == 1
    assert not DeadLetter.objects.exists()


def test_others_that_wait_hold_up_nobody_whose_worker_died(broker: redis.Redis) -> None:
    """The queue is busy, but its messages speak of others: a dead worker's orders need not wait until it is empty."""
    mine, other = place_order(), place_order()
    claim(10)
    due_again(mine)
    canvas(remaining(facts_of([other.pk])[0]), [other.pk]).apply_async()
    Relay().run_once()
    assert lengths(broker) == {"inventory": 2}


def test_who_was_beside_poison_goes_one_step_alone_and_then_in_company(broker: redis.Redis) -> None:
    stock(KETTLE=5)
    orders = [place_order() for _ in range(5)]
    claim(10)
    due_again(*orders)
    Relay().run_once()
    [message] = broker.lrange(QueueName.INVENTORY.value, 0, -1)
    assert not orjson.loads(base64.b64decode(orjson.loads(message)["body"]))[2]["chain"]
    perform(reserve, Step.RESERVE, lambda ids: inventory.reserve(ids).done, [order.pk for order in orders])
    for order in orders:
        order.refresh_from_db()
        assert order.status == OrderStatus.RESERVED
        assert order.attempts == 0
    broker.delete(QueueName.INVENTORY.value)
    Relay().run_once()
    assert lengths(broker) == {"payment": 1}


def test_an_order_with_nothing_left_to_do_is_closed(broker: redis.Redis) -> None:
    stock(KETTLE=1)
    order = place_order()
    Order.objects.filter(pk=order.pk).update(status=OrderStatus.CANCELLED)
    inventory.release([order.pk])
    Order.objects.filter(pk=order.pk).update(status=OrderStatus.COMPLETED)
    order.notifications.create(channel="email", kind="confirmation", status="sent")
    order.notifications.create(channel="sms", kind="confirmation", status="sent")
    Relay().run_once()
    order.refresh_from_db()
    assert order.due_at is None
    assert order.ended_at is not None


def test_the_relay_remembers_nothing_of_what_it_dispatched(broker: redis.Redis) -> None:
    """Celery would keep each group's results and subscribe to them: a relay must not grow for a year."""
    relay = Relay()
    for _ in range(5):
        place_order()
        relay.run_once()
    assert broker.llen(QueueName.INVENTORY.value) == 5
    assert nothing_is_waited_for(broker)


def test_nor_of_a_group_that_is_next(broker: redis.Redis) -> None:
    canvas((SIDE_BY_SIDE, Step.COMPLETE), [place_order().pk]).apply_async()
    assert all(broker.llen(step.queue) for step in SIDE_BY_SIDE)
    assert nothing_is_waited_for(broker)


def nothing_is_waited_for(broker: redis.Redis) -> bool:
    backend: Any = app.backend
    subscribed = [client["sub"] for client in broker.client_list() if int(client["sub"])]
    return not (subscribed or backend._pending_results.concrete or backend._pending_results.weak)
