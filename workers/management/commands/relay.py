"""`manage.py relay`: the process that dispatches what is due. Any number may run side by side."""

import logging
import signal
import threading
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand

from orders.database.planner_settings import plan_by_key
from shop import collector
from workers.metrics.serving import serve
from workers.relay.duties import Relay, keep, outbox

log = logging.getLogger("workers.relay")


class Command(BaseCommand):
    help = "Dispatch every order that is due, publish what happens to orders, serve the metrics."
    requires_system_checks: list[str] = []  # they load every view of the shop; `manage.py prepare` runs them

    def handle(self, *args: Any, **options: Any) -> None:
        stop = threading.Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: stop.set())
        plan_by_key()
        relay = Relay()
        serve(settings.METRICS_LISTEN)
        collector.relieve()
        publishing = threading.Thread(target=keep, args=([outbox()], stop), name="outbox", daemon=True)
        publishing.start()
        for duty in relay.duties:
            log.info("Every %g ms: %s.", duty.interval * 1000, duty.name)
        keep(relay.duties, stop)
        publishing.join(timeout=5)
