"""A worker process that dies is noticed at once by its main process: its orders are due again within milliseconds.

Otherwise they would wait for their lease to run out (orders.scheduling.LEASE), and so would the whole batch of an order
that kills its worker. The attempt counts, so that order is found and ends as poison. When the main process dies too, or
the database is away at this moment, the orders wait for their lease.

Relies on Celery 5.7: the main process sends `task_failure` with WorkerLostError or TimeLimitExceeded for a child that
was killed, and `pool.maintain_pool` looks at the children. Noticed by: tests/integration/workers/test_worker_lost.py,
tests/chaos/test_steps_that_die.py.
"""

import logging
from typing import Any

from celery import bootsteps
from celery.exceptions import TimeLimitExceeded, WorkerLostError
from celery.signals import task_failure
from celery.worker.components import Pool
from django.db import DatabaseError, InterfaceError, connection, transaction

from orders import scheduling
from orders.workflow import Step
from workers import deadletters
from workers.breakers import recovery
from workers.celery import app
from workers.steps import StepTask, describe

log = logging.getLogger(__name__)

_LOOK = 0.1  # seconds between looks at the children
# The dead process's transaction may hold the rows for a moment longer; the main process must not wait for long.
_LOCK_TIMEOUT = "SET LOCAL lock_timeout = '2s'; SET LOCAL statement_timeout = '3s'"


class LookAfterChildren(bootsteps.StartStopStep):
    """Have a main process look after its children all the time.

    Celery looks when a child's pipe closes, which is a moment before the child has ended. It finds the child alive, and
    looks again only five seconds later.
    """

    requires = (Pool,)

    def register_with_event_loop(self, worker: Any, hub: Any) -> None:
        hub.call_repeatedly(_LOOK, worker.pool.maintain_pool)


app.steps["worker"].add(LookAfterChildren)


@task_failure.connect
def reschedule(sender: Any = None, exception: BaseException | None = None, args: Any = (), **_: Any) -> None:
    """In the main process: a child was killed by the system, by a crash, or for taking too long."""
    if not isinstance(sender, StepTask) or not isinstance(exception, WorkerLostError | TimeLimitExceeded):
        return
    ids: list[int] = args[0]
    try:
        with transaction.atomic():
            with connection.cursor() as cursor:
                cursor.execute(_LOCK_TIMEOUT)
            deadletters.note_attempts(Step(sender.name), dict.fromkeys(ids, exception))
            # What hung until its time limit has been dispatched again already: the lease is shorter.
            again = 0 if isinstance(exception, TimeLimitExceeded) else scheduling.worker_lost(ids)
            recovery.worker_lost([Step(sender.name)])
    except (DatabaseError, InterfaceError) as error:
        log.warning(
            "%s lost its process with %s; they wait for their leases: %s", sender.name, describe(ids), error
        )
    else:
        log.warning(
            "%s lost its process with %s; %d of them are due at once.", sender.name, describe(ids), again
        )
    finally:
        # Children are forked from this process, and must not share a connection with it.
        connection.close()
