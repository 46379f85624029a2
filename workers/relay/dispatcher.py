"""Dispatches orders: claims what is due, groups orders with the same steps left, publishes a canvas for each batch.

Batches form themselves. In a quiet shop an order is dispatched within one poll. In a crowd the dispatcher waits while
orders gather, and claims nothing while enough batches wait in the queues: the next batches are bigger, and no lease
runs out in a queue.
"""

import logging
from collections import defaultdict
from collections.abc import Iterable
from datetime import timedelta
from time import monotonic

from django.db import transaction
from kombu.exceptions import OperationalError as BrokerError
from redis.exceptions import RedisError

from orders import scheduling
from orders.crashpoints import Point, reached
from orders.facts import facts_of
from orders.lease import MAX_ATTEMPTS, Poison
from orders.scheduling import Due
from orders.states import OrderStatus, PaymentMethod
from orders.workflow import STEPS, Facts, Plan, Step, first, remaining
from workers import deadletters
from workers.breakers import admission
from workers.breakers.parking import park
from workers.broker import Broker, waiting
from workers.queues import BATCHES_WAITING, ORDER_QUEUES, QueueName
from workers.workflow import canvas

log = logging.getLogger(__name__)

POLL = 0.02  # seconds between looks when the shop is quiet
LINGER = 0.2  # seconds for orders to gather when it is not
BUSY = 4  # so many orders at one look: it is not quiet
CLAIM = 1_000  # orders a look
# Orders in a batch by their attempts without progress: so an order that kills its worker is found in two steps.
BATCH_LIMITS = (100, 10, 1)
QUIET = 2.0  # seconds without a due order
POSTPONE = timedelta(seconds=2)  # for an order whose message still waits


class Dispatcher:
    def __init__(self, broker: Broker) -> None:
        self._broker = broker
        self.last_due = 0.0

    @property
    def is_quiet(self) -> bool:
        """Whether no order has been due for a while, so that there is time for other work."""
        return monotonic() > self.last_due + QUIET

    def run_once(self) -> float:
        """One look; returns how many seconds to wait before the next. Raises what database and broker raise."""
        if not scheduling.any_due():
            return POLL
        self.last_due = monotonic()
        lengths, remembers = self._broker.look()
        if not remembers:
            self._recover_from_wipe()
        if waiting(lengths, ORDER_QUEUES) >= BATCHES_WAITING:
            return POLL
        self._broker.ready()
        reached(Point.RELAY_BEFORE_CLAIM)
        due = scheduling.claim(CLAIM)
        if due:
            reached(Point.RELAY_AFTER_CLAIM, [order.order_id for order in due])
            self._dispatch(due)
        return LINGER if len(due) >= BUSY else POLL

    def notice_wipe(self) -> None:
        """Make everything under way due, if the broker was wiped. Raises redis.RedisError."""
        _, remembers = self._broker.look()
        if not remembers:
            self._recover_from_wipe()

    def _dispatch(self, due: list[Due]) -> None:
        claim = due[0].claim
        batches = list(_batches(_without_poison(due)))
        away = admission.open_breakers()
        done = 0
        try:
            for plan, batch in batches:
                ids = [order.order_id for order in batch]
                if not plan:
                    scheduling.close(ids)
                elif all(STEPS[step].provider in away for step in first(plan)):
                    park(first(plan)[0], ids)
                elif ids := self._without_waiting(plan, batch):
                    reached(Point.RELAY_BEFORE_PUBLISH, ids)
                    with self._broker.publishing():
                        canvas(_for_suspects(plan) if batch[0].attempts > 1 else plan, ids).apply_async()
                    reached(Point.RELAY_AFTER_PUBLISH, ids)
                done += 1
        except (BrokerError, RedisError):
            scheduling.unclaim([order.order_id for _, batch in batches[done:] for order in batch])
            scheduling.dispatched(claim)
            raise
        scheduling.dispatched(claim)

    def _without_waiting(self, plan: Plan, batch: list[Due]) -> list[int]:
        """The orders of the batch without those whose last message still waits, because nobody serves its queue: their
        attempt does not count. Raises redis.RedisError."""
        ids = [order.order_id for order in batch]
        if batch[0].attempts == 1:
            return ids
        queues = {QueueName(step.queue) for step in first(plan)}
        waiting_still = self._broker.orders_waiting(queues).intersection(ids)
        scheduling.unclaim(waiting_still, POSTPONE)
        return [order_id for order_id in ids if order_id not in waiting_still]

    def _recover_from_wipe(self) -> None:
        released = scheduling.release_all()
        self._broker.remember()
        if released:
            log.warning("The broker was wiped: %d orders under way are dispatched again.", released)


def _without_poison(due: list[Due]) -> list[Due]:
    """The orders without those that kill their workers, which get a dead letter."""
    for order in due:
        if order.attempts > MAX_ATTEMPTS:
            plan = remaining(facts_of([order.order_id])[0])
            with transaction.atomic():
                scheduling.unclaim([order.order_id])  # this time it is not dispatched
                deadletters.bury(
                    first(plan)[0] if plan else Step.CLOSE, {order.order_id: Poison()}, stops=True
                )
    return [order for order in due if order.attempts <= MAX_ATTEMPTS]


def _batches(due: list[Due]) -> Iterable[tuple[Plan, list[Due]]]:
    """Group the orders by what remains and by their attempts, in batches of the right size."""
    late = [order.order_id for order in due if order.status != OrderStatus.PLACED]
    facts = {fact.order_id: fact for fact in facts_of(late)}
    groups: dict[tuple[Plan, int], list[Due]] = defaultdict(list)
    for order in due:
        fact = facts.get(order.order_id) or Facts(
            order.order_id, OrderStatus(order.status), PaymentMethod(order.payment_method)
        )
        limit = 1 if order.alone else BATCH_LIMITS[min(order.attempts, len(BATCH_LIMITS)) - 1]
        groups[remaining(fact), limit].append(order)
    for (plan, limit), orders in groups.items():
        orders.sort(key=lambda order: order.order_id)
        for start in range(0, len(orders), limit):
            yield plan, orders[start : start + limit]


def _for_suspects(plan: Plan) -> Plan:
    """Orders whose worker died go in small, costly batches: only to the next step, after which the innocent are
    due again (workers.steps) and go on in larger ones."""
    return plan[:1] if STEPS[first(plan)[0]].leads_on else plan
