"""What surrounds all work on leased rows: an outage of our own database or broker costs no row an attempt.

The rows are released, uncounted, as soon as the database is back. If that takes too long, their leases run out.
"""

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from time import monotonic, sleep

from django.db import close_old_connections

from orders.lease import Lease, LeaseLost
from workers.retry import INFRASTRUCTURE, INFRASTRUCTURE_DOWN

log = logging.getLogger(__name__)

PATIENCE = 15.0  # seconds that a worker waits for its database, without which it can do nothing


@contextmanager
def released_when_down(release: Callable[[], object], what: str) -> Iterator[None]:
    """Run work during which our own database or broker may go down: `release` then releases its rows."""
    try:
        yield
    except INFRASTRUCTURE_DOWN:
        _when_back(release, what)
        raise


@contextmanager
def holding(lease: Lease, what: str) -> Iterator[None]:
    """Run work on the rows of a lease. It just stops when they are lost; they are released when this process is told
    to end. `what` names the work in the log."""
    try:
        with released_when_down(lease.release, what):
            yield
    except LeaseLost as lost:
        log.info("%s stops: %s", what, lost)
        lease.release()  # rows of ours that were cancelled: clearing them up waits for us
    except Exception:
        raise
    except BaseException:  # this process was told to end
        with suppress(*INFRASTRUCTURE_DOWN):
            lease.release()
        raise


def _when_back(release: Callable[[], object], what: str) -> None:
    until, failures = monotonic() + PATIENCE, 1
    while True:
        close_old_connections()
        try:
            release()
            return
        except INFRASTRUCTURE_DOWN as error:
            if monotonic() > until:
                log.warning("%s could not be released, and waits for its lease to run out: %s", what, error)
                return
        sleep(INFRASTRUCTURE.longest(failures))
        failures += 1
