"""Where in the broker an order's message is: in a queue, with a worker, or nowhere."""

from collections.abc import Collection
from dataclasses import dataclass
from functools import cache

import redis

from workers.broker import client, orders_in
from workers.queues import ORDER_QUEUES, TAKEN, QueueName

_SECONDS = 1.0  # for the broker's answer: somebody waits for the sentence
_MOST = 500  # messages that are read in each queue, the oldest first; the relay lets no more than a few batches wait
# Where kombu keeps what the nodes have taken and not acknowledged.
_TAKEN = TAKEN.format(node="*")


@dataclass(frozen=True, slots=True)
class Queued:
    """What the broker has of one order; `queue` None and `taken` False: nothing.

    `ahead` counts the messages before the order's in its queue, `oldest` are the orders of the first of them, and
    `waiting` counts all messages in all queues of orders.
    """

    queue: QueueName | None = None
    ahead: int = 0
    oldest: Collection[int] = ()
    taken: bool = False
    waiting: int = 0


def find(order_id: int) -> Queued:
    """Look for the order's message. Raises redis.RedisError when the broker does not answer."""
    broker = _broker()
    nodes = list(broker.scan_iter(match=_TAKEN, count=1_000))
    pipe = broker.pipeline(transaction=False)
    for name in ORDER_QUEUES:
        pipe.llen(name.value)
        pipe.lrange(name.value, -_MOST, -1)  # the last has waited longest
    for node in nodes:
        pipe.hvals(node)
    answers = pipe.execute()
    of_queues = answers[: 2 * len(ORDER_QUEUES)]
    taken = [item for held in answers[len(of_queues) :] for item in held]
    lengths, queues = of_queues[::2], of_queues[1::2]
    for name, messages in zip(ORDER_QUEUES, queues, strict=True):
        for ahead, message in enumerate(reversed(messages)):
            if order_id in orders_in(message):
                return Queued(name, ahead, orders_in(messages[-1]), waiting=sum(lengths))
    return Queued(taken=any(order_id in orders_in(item) for item in taken), waiting=sum(lengths))


@cache
def _broker() -> redis.Redis:
    return client(_SECONDS)
