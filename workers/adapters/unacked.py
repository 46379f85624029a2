"""A node that starts takes over what its predecessor had in hand when it died: those orders are dispatched at once.

A main process notices when its child dies (workers.adapters.worker_lost). When the main process dies, nobody notices:
the messages that it had taken stay with the broker, and their orders would wait for their leases. So each node keeps
what it takes under its own name, and a process manager starts the next one under that name within seconds, which finds
it there. The attempt counts, so an order that kills whole nodes ends as poison. Some of the orders have done that step
already and only lack the message for the next, which died with the child that was to send it: all are dispatched, and a
step that has been done finds nothing to do.

Only orders are taken over. What else there is has a lease of its own (documents, videos) or comes again by itself
(beat), and a message of it is handed out again after the visibility timeout, as with every broker of this kind.

Relies on kombu 5.7: the transport options `unacked_key`, `unacked_index_key` and `unacked_mutex_key` name where a
node's unacknowledged messages are kept, in a hash of [message, exchange, routing key] by delivery tag; on Celery 5.7:
the signal `celeryd_init` comes before the node connects, and a bootstep that requires the pool starts before the
consumer.
Noticed by: tests/chaos/test_acknowledging.py, tests/integration/workers/test_why.py.
"""

import logging
from collections.abc import Iterator
from typing import Any

import orjson
import redis
from celery import bootsteps
from celery.signals import celeryd_init
from celery.worker.components import Pool
from django.conf import settings
from django.db import DatabaseError, InterfaceError, connection
from redis.exceptions import RedisError

from orders import scheduling
from orders.workflow import Step
from workers.breakers import recovery
from workers.broker import orders_in
from workers.celery import ANSWER, app
from workers.queues import TAKEN
from workers.steps import describe

log = logging.getLogger(__name__)

# When the node took each of them, and kombu's lock for handing out again what is taken for too long.
_TAKEN_AT = "unacked_index.{node}"
_MUTEX = "unacked_mutex.{node}"


@celeryd_init.connect
def keep_apart(sender: str, conf: Any, **_: Any) -> None:
    """Before the node speaks to the broker: what it takes is kept under its own name."""
    own = {"unacked_key": TAKEN, "unacked_index_key": _TAKEN_AT, "unacked_mutex_key": _MUTEX}
    conf.broker_transport_options = {
        **conf.broker_transport_options,
        **{option: key.format(node=sender) for option, key in own.items()},
    }


class TakeOver(bootsteps.StartStopStep):
    """Before the node takes anything itself."""

    requires = (Pool,)

    def start(self, worker: Any) -> None:
        take_over(worker.hostname)


app.steps["worker"].add(TakeOver)


def take_over(node: str) -> int:
    """Have the orders that the node's predecessor died over dispatched again. Returns how many."""
    again = 0
    try:
        with redis.Redis.from_url(settings.BROKER_URL, socket_timeout=ANSWER) as broker:
            taken = TAKEN.format(node=node)
            found = list(_steps_in(broker.hgetall(taken)))
            if found:
                again = scheduling.worker_lost({order_id for _, _, ids in found for order_id in ids})
                recovery.worker_lost(step for _, step, _ in found)
                tags = [tag for tag, _, _ in found]
                broker.pipeline().hdel(taken, *tags).zrem(_TAKEN_AT.format(node=node), *tags).execute()
            for _, step, ids in found:
                log.warning("%s was in hand with %s when this node died.", step.value, describe(ids))
    except (RedisError, DatabaseError, InterfaceError) as error:
        log.warning("What this node had in hand when it died waits for its lease: %s", error)
    finally:
        # Children are forked from this process, and must not inherit a connection.
        connection.close()
    return again


def _steps_in(held: dict[bytes, bytes]) -> Iterator[tuple[bytes, Step, list[int]]]:
    """Tag, step and orders of each message that is a step's."""
    for tag, item in held.items():
        try:
            message, *_ = orjson.loads(item)
            step = Step(message["headers"]["task"])
        except (ValueError, KeyError, TypeError):
            continue
        yield tag, step, orders_in(orjson.dumps(message))
