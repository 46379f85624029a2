"""A node that starts takes over what its predecessor had in hand when it died: those orders are due at once.

A main process notices when its child dies (workers.adapters.worker_lost). When the main process dies, the messages that
it had taken stay with the broker, and their orders would wait for their leases. So each node keeps what it takes under
its own name. A process manager starts the next node under that name within seconds, and it finds the messages. The
attempt counts, so an order that kills whole nodes ends as poison. An order may have done its step before the node died:
the step then finds nothing to do, and the order goes on.

Only orders are taken over. Other rows have a lease of their own (documents, videos) or come again by themselves (beat),
and the broker hands out their messages again after the visibility timeout.

Relies on kombu 5.7: the transport options `unacked_key`, `unacked_index_key` and `unacked_mutex_key` name where a
node's unacknowledged messages are kept, in a hash of [message, exchange, routing key] by delivery tag; on Celery 5.7:
the signal `celeryd_init` comes before the node connects, and a bootstep that requires the pool starts before the
consumer.
Noticed by: tests/chaos/test_acknowledging.py, tests/integration/workers/test_why.py.
"""

import logging
from typing import Any

from celery import bootsteps
from celery.signals import celeryd_init
from celery.worker.components import Pool
from django.db import DatabaseError, InterfaceError, connection
from redis.exceptions import RedisError

from orders import scheduling
from workers.breakers import recovery
from workers.broker import client, read_step
from workers.celery import app
from workers.queues import TAKEN
from workers.steps import describe

log = logging.getLogger(__name__)

# When the node took each of them, and kombu's lock while it hands out again what was taken for too long.
_TAKEN_AT = "unacked_index.{node}"
_MUTEX = "unacked_mutex.{node}"


@celeryd_init.connect
def keep_apart(sender: str, conf: Any, **_: Any) -> None:
    """Before the node connects to the broker: what it takes is kept under its own name."""
    own = {"unacked_key": TAKEN, "unacked_index_key": _TAKEN_AT, "unacked_mutex_key": _MUTEX}
    conf.broker_transport_options = {
        **conf.broker_transport_options,
        **{option: key.format(node=sender) for option, key in own.items()},
    }


class TakeOver(bootsteps.StartStopStep):
    """Runs before the node takes any message."""

    requires = (Pool,)

    def start(self, worker: Any) -> None:
        take_over(worker.hostname)


app.steps["worker"].add(TakeOver)


def take_over(node: str) -> int:
    """Make the orders due that the node's predecessor had in hand. Returns how many."""
    again = 0
    try:
        with client() as broker:
            taken = TAKEN.format(node=node)
            found = {tag: read for tag, item in broker.hgetall(taken).items() if (read := read_step(item))}
            if found:
                again = scheduling.worker_lost({order_id for _, ids in found.values() for order_id in ids})
                recovery.worker_lost(step for step, _ in found.values())
                broker.pipeline().hdel(taken, *found).zrem(_TAKEN_AT.format(node=node), *found).execute()
            for step, ids in found.values():
                log.warning("%s was in hand with %s when this node died.", step.value, describe(ids))
    except (RedisError, DatabaseError, InterfaceError) as error:
        log.warning("What this node had in hand when it died waits for its lease: %s", error)
    finally:
        # Children are forked from this process, and must not share a connection with it.
        connection.close()
    return again
