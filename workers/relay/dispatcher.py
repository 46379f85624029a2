"""One turn of the relay: claim what is due, group what stands at the same point, ring a canvas for each batch.

Batches form themselves. When the shop is quiet an order is rung within a poll; when the crowd is there the relay
lingers while orders gather, and does not claim at all while enough batches wait in the queues, so that the next ones
are bigger and no lease runs out in a queue.
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
from orders.facts import Facts, facts_of
from orders.states import OrderStatus, PaymentMethod
from workers import breakers, deadletters
from workers.breakers.parking import park
from workers.broker import Broker, waiting
from workers.deadletters.canary import Replays
from workers.queues import ORDER_QUEUES, QueueName
from workers.relay.claiming import (
    Due,
    any_due,
    claim_documents,
    claim_orders,
    claim_printouts,
    forget_claim,
    take_all_back,
    take_back,
    take_back_unrung,
)
from workers.relay.media import Media
from workers.steps import LEADING_ON
from workers.tasks import make_printout, render_documents
from workers.workflow import Plan, Step, canvas, first, remaining

log = logging.getLogger(__name__)

POLL = 0.02  # seconds between looks when the shop is quiet
LINGER = 0.2  # seconds for orders to gather when it is not
QUIET_TURNS = 10  # in a quiet shop the broker and the documents are looked at every so many turns
BUSY = 4  # orders found at one look from which on it is not quiet
BATCHES_WAITING = 8  # no claim while so many batches wait in the queues
CLAIM = 1_000  # orders a look
# An order driven so often without any progress kills its workers: it is set apart.
MAX_ATTEMPTS = 3
# Orders a batch, by how often they were driven without progress: whoever breaks its batch is found in two steps.
BATCH_LIMITS = (100, 10, 1)
DOCUMENTS_A_BATCH = 50
DOCUMENT_LEASE = timedelta(seconds=20)  # to be begun; who begins takes a lease of its own
QUIET = 2.0  # seconds without a due order after which PDFs are made; until then they are made for who asks
POSTPONE = timedelta(seconds=2)
TRIALS = 0.2  # seconds between looks at the breakers, and for claims of a relay that died


class Poison(Exception):
    """An order was driven several times and no worker came back with an answer."""


class Relay:
    """Claims and rings; `turn` is called for as long as the process lives."""

    def __init__(self) -> None:
        self._broker = Broker()
        self._replays = Replays()
        self._media = Media(self._broker)
        self._broker_away = False
        self._turns = -1
        self._last_due = 0.0
        self._next_trials = 0.0

    def turn(self) -> float:
        """Do one look; returns how many seconds to wait before the next. Raises Django's OperationalError."""
        self._turns += 1
        self._replays.turn()
        if monotonic() >= self._next_trials:
            breakers.turn()
            self._take_back_unrung()
            self._next_trials = monotonic() + TRIALS
        self._ring_media()
        if not any_due() and self._turns % QUIET_TURNS:
            return POLL
        try:
            lengths, remembers = self._broker.look()
            if not remembers:
                self._recover_from_wipe()
            self._broker_is(there=True)
        except RedisError as error:
            self._broker_is(there=False, why=error)
            return 0.2
        if waiting(lengths, ORDER_QUEUES) >= BATCHES_WAITING:
            return POLL
        reached(Point.RELAY_BEFORE_CLAIM)
        due = claim_orders(CLAIM)
        if due:
            reached(Point.RELAY_AFTER_CLAIM, [order.order_id for order in due])
            self._ring(due)
            self._last_due = monotonic()
        if not lengths[QueueName.DOCUMENTS]:
            self._ring_printouts()
        if not due and not lengths[QueueName.DOCUMENTS] and monotonic() > self._last_due + QUIET:
            self._ring_documents()
        return LINGER if len(due) >= BUSY else POLL

    def _ring(self, due: list[Due]) -> None:
        claim = due[0].claim
        due = self._without_poison(due)
        batches = list(_batches(due))
        shut = breakers.shut()
        rung = 0
        try:
            for plan, batch in batches:
                ids = [order.order_id for order in batch]
                if not plan:
                    scheduling.close(ids)
                elif all(breakers.PROVIDER_OF.get(step) in shut for step in first(plan)):
                    park(first(plan)[0], ids)
                elif ids := self._without_waiting(plan, batch):
                    reached(Point.RELAY_BEFORE_PUBLISH, ids)
                    canvas(_for_suspects(plan) if batch[0].attempts > 1 else plan, ids).apply_async()
                    reached(Point.RELAY_AFTER_PUBLISH, ids)
                rung += 1
        except (BrokerError, RedisError) as error:
            self._broker_is(there=False, why=error)
            take_back([order.order_id for _, batch in batches[rung:] for order in batch])
        forget_claim(claim)

    def _without_waiting(self, plan: Plan, batch: list[Due]) -> list[int]:
        """Those of the batch that are to be rung: not who was driven before and whose message has simply not had its
        turn, because nobody serves its queue. Such a drive does not count. Raises redis.RedisError."""
        ids = [order.order_id for order in batch]
        if batch[0].attempts == 1:
            return ids
        queues = {QueueName(step.value.partition(".")[0]) for step in first(plan)}
        waiting_still = self._broker.orders_waiting(queues).intersection(ids)
        take_back(waiting_still, POSTPONE)
        return [order_id for order_id in ids if order_id not in waiting_still]

    def _ring_documents(self) -> None:
        claimed = claim_documents(DOCUMENTS_A_BATCH, DOCUMENT_LEASE)
        # Whose renderer died or failed goes by itself: it may be the one that did it.
        batches = [[document_id] for document_id, attempts in claimed if attempts]
        if fresh := [document_id for document_id, attempts in claimed if not attempts]:
            batches.insert(0, fresh)
        try:
            for ids in batches:
                render_documents.delay(ids)
        except (BrokerError, RedisError) as error:
            self._broker_is(there=False, why=error)

    def _ring_printouts(self) -> None:
        """One at a time: somebody at the desk waits for it, and it gives way to no crowd but its queue's."""
        try:
            for printout_id in claim_printouts(1, DOCUMENT_LEASE):
                make_printout.delay(printout_id)
        except (BrokerError, RedisError) as error:
            self._broker_is(there=False, why=error)

    def _ring_media(self) -> None:
        try:
            self._media.turn()
        except (BrokerError, RedisError) as error:
            self._broker_is(there=False, why=error)

    def _without_poison(self, due: list[Due]) -> list[Due]:
        for order in due:
            if order.attempts > MAX_ATTEMPTS:
                [facts] = facts_of([order.order_id])
                plan = remaining(facts)
                found = Poison(f"driven {MAX_ATTEMPTS} times, and no worker came back with an answer")
                with transaction.atomic():
                    take_back([order.order_id])  # this time it is not driven
                    deadletters.bury(
                        first(plan)[0] if plan else Step.CLOSE, {order.order_id: found}, stops=True
                    )
        return [order for order in due if order.attempts <= MAX_ATTEMPTS]

    def _take_back_unrung(self) -> None:
        taken = take_back_unrung()
        if taken:
            log.warning("A relay died before it had rung: the %d orders it had claimed are due again.", taken)

    def _recover_from_wipe(self) -> None:
        taken = take_all_back()
        self._broker.remember()
        if taken:
            log.warning("The broker forgot everything: %d orders under way are driven again.", taken)

    def _broker_is(self, *, there: bool, why: Exception | None = None) -> None:
        if there and self._broker_away:
            log.warning("The broker is back.")
        elif not there and not self._broker_away:
            log.warning("The broker is away, orders wait in the database: %s", why)
        self._broker_away = not there


def _batches(due: list[Due]) -> Iterable[tuple[Plan, list[Due]]]:
    """Group by what remains and by how often it was tried, cut to size."""
    late = [order.order_id for order in due if order.status != OrderStatus.PLACED]
    facts = {fact.order_id: fact for fact in facts_of(late)} if late else {}
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
    """Those whose worker died go in small batches, which cost much an order: only as far as the next step, after which
    the innocent are looked at again (workers.steps) and go on in company."""
    return plan[:1] if plan[0] in LEADING_ON else plan
