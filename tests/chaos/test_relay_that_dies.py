"""A relay may die at any of its crash points: what it had claimed falls due again, and no event stays untold."""

from datetime import timedelta

import pytest
import redis
from django.utils import timezone

from orders import inventory, scheduling
from orders.crashpoints import Point
from orders.models import Claim, Order, OrderEvent
from tests.chaos.conftest import Dies
from tests.making import place_order, stock
from workers.queues import QueueName
from workers.relay.duties import Relay
from workers.relay.outbox import Outbox

pytestmark = pytest.mark.django_db(transaction=True)

LOOK = "from workers.relay.duties import Relay\nRelay().run_once()"
TELL = "from workers.relay.outbox import Outbox\nOutbox().publish()"


@pytest.mark.parametrize(
    ("point", "claimed", "dispatched"),
    [
        (Point.RELAY_BEFORE_CLAIM, False, 0),
        (Point.RELAY_AFTER_CLAIM, True, 0),
        (Point.RELAY_BEFORE_PUBLISH, True, 0),
        (Point.RELAY_AFTER_PUBLISH, True, 1),
    ],
    ids=lambda value: value.value if isinstance(value, Point) else "",
)
def test_what_it_had_claimed_is_known_and_falls_due_again(
    point: Point, claimed: bool, dispatched: int, broker: redis.Redis, dies: Dies
) -> None:
    stock(KETTLE=1)
    order = place_order()
    dies(point, LOOK)
    order.refresh_from_db()
    assert order.attempts == claimed  # committed before anybody was told of it
    assert order.due_at is not None
    assert (order.due_at > timezone.now()) == claimed
    assert order.due_at <= timezone.now() + scheduling.LEASE
    assert broker.llen(QueueName.INVENTORY) == dispatched
    broker.delete(QueueName.INVENTORY)
    Order.objects.update(due_at=timezone.now() - timedelta(seconds=1))  # the lease has run out
    Relay().run_once()
    assert broker.llen(QueueName.INVENTORY) == 1


def test_what_it_had_not_rung_for_is_taken_back_before_its_lease_ends(
    broker: redis.Redis, dies: Dies
) -> None:
    stock(KETTLE=1)
    order = place_order()
    dies(Point.RELAY_AFTER_CLAIM, LOOK)
    Relay().run_once()
    assert not broker.llen(QueueName.INVENTORY)  # the other one might still be at it
    Claim.objects.update(claimed_at=timezone.now() - scheduling.UNDISPATCHED)
    Relay().run_once()
    assert broker.llen(QueueName.INVENTORY) == 1
    order.refresh_from_db()
    assert (order.attempts, order.attempts_total) == (1, 1)  # it is no suspect
    assert not Claim.objects.exists()


def test_who_has_moved_on_is_not_taken_back(broker: redis.Redis, dies: Dies) -> None:
    stock(KETTLE=1)
    order = place_order()
    dies(Point.RELAY_AFTER_PUBLISH, LOOK)
    inventory.reserve([order.pk])
    Claim.objects.update(claimed_at=timezone.now() - scheduling.UNDISPATCHED)
    Relay().run_once()
    assert broker.llen(QueueName.INVENTORY) == 1  # the message that was dispatched before
    assert not broker.llen(QueueName.PAYMENT)


@pytest.mark.parametrize(
    ("point", "untold"),
    [(Point.OUTBOX_BEFORE_PUBLISH, 1), (Point.OUTBOX_AFTER_PUBLISH, 1), (Point.OUTBOX_AFTER_MARK, 0)],
    ids=lambda value: value.value if isinstance(value, Point) else "",
)
def test_an_event_is_told_before_it_is_marked_as_told(
    point: Point, untold: int, broker: redis.Redis, dies: Dies
) -> None:
    place_order()
    dies(point, TELL)
    assert OrderEvent.objects.filter(published_at=None).count() == untold
    assert Outbox().publish() == untold
    assert not OrderEvent.objects.filter(published_at=None).exists()
