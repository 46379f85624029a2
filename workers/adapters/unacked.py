"""A node that starts takes over what its predecessor had in hand when it died: those orders are driven again at once.

A main process notices when its child dies (workers.adapters.worker_lost). When the main process dies, nobody notices:
the messages that it had taken stay with the broker, and their orders would wait for their leases. So each node keeps
what it takes under its own name, and who starts under that name again, which takes a process manager a few seconds,
finds it there. The drive counts, so an order that kills whole nodes is set apart in the end (workers.relay). Some of
them will have done that step already and lack the message for the next, which died with the child that was to send it:
all are driven, and a step that has been done finds nothing to do.

Only orders are taken over. What else there is has a lease of its own (PDFs) or comes again by itself (beat), and a
message of it is handed out again after the visibility timeout, as with every broker of this kind.
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
from workers import breakers
from workers.broker import orders_in
from workers.celery import ANSWER, app
from workers.queues import TAKEN
from workers.steps import describe
from workers.workflow import Step

log = logging.getLogger(__name__)

# When the node took each of them, and kombu's lock for handing out again what is taken for too long.
_TAKEN_AT = "unacked_index.{node}"
_MUTEX = "unacked_mutex.{node}"


@celeryd_init.connect
def keep_apart(sender: str, conf: Any, **_: Any) -> None:
    """Before the node speaks to the broker: what it takes stands under its own name."""
    own = {"unacked_key": TAKEN, "unacked_index_key": _TAKEN_AT, "unacked_mutex_key": _MUTEX}
    conf.broker_transport_options = {
        **conf.broker_transport_options,
        **{option: key.format(node=sender) for option, key in own.items()},
    }


class Inherit(bootsteps.StartStopStep):
    """Before the node takes anything itself."""

    requires = (Pool,)

    def start(self, worker: Any) -> None:
        inherit(worker.hostname)


app.steps["worker"].add(Inherit)


def inherit(node: str) -> int:
    """Have the orders that the node's predecessor died over driven again. Returns how many."""
    driven = 0
    try:
        with redis.Redis.from_url(settings.BROKER_URL, socket_timeout=ANSWER) as broker:
            taken = TAKEN.format(node=node)
            found = list(_steps_in(broker.hgetall(taken)))
            if found:
                driven = scheduling.drive_again({order_id for _, _, ids in found for order_id in ids})
                breakers.lose(step for _, step, _ in found)
                tags = [tag for tag, _, _ in found]
                broker.pipeline().hdel(taken, *tags).zrem(_TAKEN_AT.format(node=node), *tags).execute()
            for _, step, ids in found:
                log.warning("%s was in hand with %s when this node died.", step.value, describe(ids))
    except (RedisError, DatabaseError, InterfaceError) as error:
        log.warning("What this node had in hand when it died waits for its lease: %s", error)
    finally:
        # Children are forked from this process, and must not inherit a connection.
        connection.close()
    return driven


def _steps_in(held: dict[bytes, bytes]) -> Iterator[tuple[bytes, Step, list[int]]]:
    """Tag, step and orders of each message that is a step's."""
    for tag, item in held.items():
        try:
            message, *_ = orjson.loads(item)
            step = Step(message["headers"]["task"])
        except (ValueError, KeyError, TypeError):
            continue
        yield tag, step, orders_in(orjson.dumps(message))
