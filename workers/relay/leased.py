"""Dispatches rows that are leased one by one: documents, printouts, and all work on videos.

A row that is dispatched is not due for some seconds. The attempt is counted by the worker that takes it
(orders.lease), so a message that waits, is lost or is doubled costs nothing. Only a few messages wait in a queue; the
other rows wait in the database, where their order can still change.
"""

from collections.abc import Callable, Collection
from functools import partial

from kombu.exceptions import OperationalError as BrokerError
from redis.exceptions import RedisError

from orders.invoices.printing import DOCUMENTS
from orders.lease import MAX_ATTEMPTS, Table
from orders.printouts.making import PRINTOUTS
from workers import documents
from workers.broker import Broker
from workers.media import runner, tasks
from workers.media.leases import CLEARINGS, ENCODINGS, JOINS, PROBES, any_due
from workers.queues import QueueName
from workers.relay.dispatcher import Dispatcher
from workers.tasks import make_printout, render_documents

INTERVAL = 0.2  # seconds between looks
DOCUMENTS_A_BATCH = 50
MEDIA_WAITING = 4  # messages that may wait in the queue `media`
CLEARED_A_LOOK = 20


class LeasedWork:
    """One kind of leased rows: how they are dispatched, and what becomes of poison."""

    def __init__(
        self,
        kind: Table,
        publish: Callable[[dict[int, int]], object],
        give_up: Callable[[Collection[int]], None],
    ) -> None:
        self._kind, self._publish, self._give_up = kind, publish, give_up

    def dispatch(self, limit: int, broker: Broker) -> int:
        """Dispatch up to so many rows that are due; returns how many. Raises what database and broker raise."""
        if limit <= 0:
            return 0
        broker.ready()
        claimed = self._kind.claim(limit)
        poisoned = [row_id for row_id, attempts in claimed.items() if attempts >= MAX_ATTEMPTS]
        if poisoned:
            self._give_up(poisoned)
        wanted = {row_id: attempts for row_id, attempts in claimed.items() if attempts < MAX_ATTEMPTS}
        try:
            if wanted:
                with broker.publishing():
                    self._publish(wanted)
        except (BrokerError, RedisError):
            self._kind.unclaim(wanted)
            raise
        return len(wanted)


def _together(claimed: dict[int, int]) -> None:
    """Fresh documents in one message. One whose worker died goes alone, for it may have been the cause."""
    fresh = [document_id for document_id, attempts in claimed.items() if not attempts]
    for ids in (fresh, *([document_id] for document_id, attempts in claimed.items() if attempts)):
        if ids:
            render_documents.delay(ids)


def _each(publish: Callable[[int], object]) -> Callable[[dict[int, int]], None]:
    def publish_each(claimed: dict[int, int]) -> None:
        for row_id in claimed:
            publish(row_id)

    return publish_each


_PDFS = LeasedWork(DOCUMENTS, _together, documents.give_up_poisoned)
_PRINTOUTS = LeasedWork(PRINTOUTS, _each(make_printout.delay), documents.give_up_poisoned_printouts)
_CLEARINGS = LeasedWork(CLEARINGS, _each(tasks.clear.delay), partial(runner.give_up_poisoned, runner.CLEAR))
# Joins first, for they complete a video; then probes.
_OF_VIDEOS = (
    LeasedWork(JOINS, _each(tasks.join.delay), partial(runner.give_up_poisoned, runner.JOIN)),
    LeasedWork(PROBES, _each(tasks.probe.delay), partial(runner.give_up_poisoned, runner.PROBE)),
    LeasedWork(ENCODINGS, _each(tasks.encode.delay), partial(runner.give_up_poisoned, runner.ENCODE)),
)


def dispatch_printouts(broker: Broker) -> None:
    """One at a time, while its queue is empty, even in a crowd: an operator waits for it."""
    if not broker.length(QueueName.DOCUMENTS):
        _PRINTOUTS.dispatch(1, broker)


def dispatch_documents(broker: Broker, dispatcher: Dispatcher) -> None:
    """PDFs are made when no order is due. One that is asked for earlier is made at once, elsewhere."""
    if dispatcher.is_quiet and not broker.length(QueueName.DOCUMENTS):
        _PDFS.dispatch(DOCUMENTS_A_BATCH, broker)


def dispatch_videos(broker: Broker) -> None:
    """A few of what is due; the rest keeps waiting in the database, where the shortest goes first."""
    if not any_due():
        return
    _CLEARINGS.dispatch(CLEARED_A_LOOK, broker)
    room = MEDIA_WAITING - broker.length(QueueName.MEDIA)
    for work in _OF_VIDEOS:
        room -= work.dispatch(room, broker)
