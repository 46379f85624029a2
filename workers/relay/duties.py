"""The duties of a relay: what it does and how often, in one list. It waits for whatever is away; nothing is lost.

To add one: a function that does one round and returns, and a line in `duties`.
"""

import logging
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from time import monotonic

from django.db import DatabaseError, InterfaceError, connection
from kombu.exceptions import OperationalError as BrokerError
from redis.exceptions import RedisError

from orders import scheduling
from workers.breakers import recovery
from workers.broker import Broker
from workers.deadletters import canary
from workers.relay import leased
from workers.relay.dispatcher import POLL, Dispatcher
from workers.relay.outbox import Outbox

log = logging.getLogger(__name__)

_AWAY = 0.5  # seconds before the next try when the database or the broker is away


@dataclass
class Duty:
    """`run_once` may name the seconds until its next round, instead of `interval`."""

    name: str
    interval: float  # seconds
    run_once: Callable[[], float | None]
    next_at: float = field(default=0.0, init=False)
    away: bool = field(default=False, init=False)

    def run_if_due(self) -> None:
        if monotonic() >= self.next_at:
            self.run()

    def run(self) -> None:
        """One round, now."""
        try:
            wait = self.run_once()
            if self.away:
                log.warning("Back at work: %s.", self.name)
            self.away = False
        except (DatabaseError, InterfaceError, RedisError, BrokerError, OSError) as error:
            if not self.away:
                log.warning("%s waits, nothing is lost: %s", self.name.capitalize(), error)
            self.away = True
            if isinstance(error, DatabaseError | InterfaceError):
                connection.close()
            wait = _AWAY
        self.next_at = monotonic() + (self.interval if wait is None else wait)


class Relay:
    """All duties but the outbox, which has a thread of its own: publishing must not wait for dispatching."""

    def __init__(self) -> None:
        broker = Broker()
        self.dispatcher = dispatcher = Dispatcher(broker)
        self.duties = [
            # First what makes orders due, then what dispatches.
            Duty("replaying dead letters", canary.BEAT / 2, canary.run_once),
            Duty("looking after the breakers", 0.2, recovery.run_once),
            Duty("releasing what a dead relay had claimed", 0.2, _release_undispatched),
            Duty("noticing a wiped broker", 0.2, dispatcher.notice_wipe),
            Duty("dispatching orders", POLL, dispatcher.run_once),
            Duty("dispatching printouts", leased.INTERVAL, partial(leased.dispatch_printouts, broker)),
            Duty("dispatching PDFs", leased.INTERVAL, partial(leased.dispatch_documents, broker, dispatcher)),
            Duty("dispatching videos", leased.INTERVAL, partial(leased.dispatch_videos, broker)),
        ]

    def run_once(self) -> None:
        """One round of every duty, now."""
        for duty in self.duties:
            duty.run()


def outbox() -> Duty:
    return Duty("publishing events", 0.1, Outbox().run_once)


def keep(duties: Sequence[Duty], stop: threading.Event) -> None:
    """Do the duties, each when its time has come, until told to stop."""
    while not stop.is_set():
        for duty in duties:
            duty.run_if_due()
        stop.wait(max(0.0, min(duty.next_at for duty in duties) - monotonic()))
    connection.close()


def _release_undispatched() -> None:
    if released := scheduling.release_undispatched():
        log.warning(
            "A relay died before it had dispatched the %d orders of its claim: they are due.", released
        )
