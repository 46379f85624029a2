"""`manage.py relay`: the process that rings. Any number may run side by side."""

import logging
import signal
import threading
from collections.abc import Callable
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand
from django.db import DatabaseError, InterfaceError, connection
from kombu.exceptions import OperationalError as BrokerError
from redis.exceptions import RedisError

from orders.database.planner_settings import plan_by_key
from shop import collector
from workers.metrics.serving import serve
from workers.relay.dispatcher import POLL, Relay
from workers.relay.outbox import BATCH, Feed

log = logging.getLogger("workers.relay")

FEED_POLL = 0.1  # seconds between looks for events; a crowd's are told together
_AWAY = 0.5  # seconds before the next look when the database or the broker is away


class Command(BaseCommand):
    help = (
        "Ring for every order that is due, tell live pages and order_events what happened, serve the figures."
    )
    requires_system_checks: list[str] = []  # they load every view of the shop; `manage.py prepare` runs them

    def handle(self, *args: Any, **options: Any) -> None:
        stop = threading.Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: stop.set())
        plan_by_key()
        feed = Feed()
        serve(settings.METRICS_LISTEN)
        collector.relieve()
        telling = threading.Thread(
            target=_keep_turning,
            args=(lambda: 0 if feed.turn() == BATCH else FEED_POLL, stop),
            name="feed",
            daemon=True,
        )
        telling.start()
        log.info("The relay looks for due orders every %d ms.", POLL * 1000)
        _keep_turning(Relay().turn, stop)
        telling.join(timeout=5)


def _keep_turning(turn: Callable[[], float], stop: threading.Event) -> None:
    """Call `turn` until told to stop, waiting as long as it says; what is away is waited for."""
    away = False
    while not stop.is_set():
        try:
            wait = turn()
            if away:
                log.warning("Back at work.")
            away = False
        except (DatabaseError, InterfaceError, RedisError, BrokerError, OSError) as error:
            if not away:
                log.warning("Waiting, nothing is lost: %s", error)
            away = True
            connection.close()
            wait = _AWAY
        stop.wait(wait)
    connection.close()
