"""Serves the figures over HTTP, on METRICS_LISTEN, from threads beside the process's own work.

They go on while the relay waits for its database, and an error in a scrape ends that scrape alone. The address must not
be public: it is loopback, or a network that only the servers are on.
"""

import logging

from prometheus_client import CollectorRegistry, ProcessCollector, start_http_server

from workers.metrics.collecting import Collector
from workers.metrics.counting import EVENTS_PUBLISHED

log = logging.getLogger(__name__)


def serve(listen: str) -> bool:
    """Serve at this "host:port" from now on; "" is nowhere. Returns whether it does.

    If the address is taken, by a second relay on the same machine, only the figures of this process are missing.
    """
    if not listen:
        return False
    registry = CollectorRegistry()
    registry.register(Collector())
    registry.register(EVENTS_PUBLISHED)
    ProcessCollector(registry=registry)
    host, _, port = listen.rpartition(":")
    try:
        start_http_server(int(port), host.strip("[]"), registry)
    except OSError as error:
        log.warning("No figures of this process: METRICS_LISTEN=%s cannot be used: %s", listen, error)
        return False
    log.info("Figures for Prometheus are at http://%s/metrics", listen)
    return True
