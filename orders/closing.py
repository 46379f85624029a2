"""Ending an order: `complete` when all that was promised is done, `close` when a failed one has been cleared up.

`remaining` decides it, by rows read under the order's lock in the transaction that ends it.
"""

from collections.abc import Collection

from django.db import transaction

from orders import scheduling
from orders.crashpoints import Point, reached
from orders.facts import facts_of
from orders.locking import lock_orders
from orders.states import END_STATES, FULFILLABLE_STATES, OrderStatus
from orders.workflow import Plan, Step, remaining


def complete(ids: Collection[int]) -> list[int]:
    """Complete those of the orders for which nothing else is left to do; the others stay as their steps left them."""
    with transaction.atomic():
        ready = _with_nothing_left_but(((Step.COMPLETE,),), lock_orders(ids, FULFILLABLE_STATES))
        completed = scheduling.advance(ready, FULFILLABLE_STATES, OrderStatus.COMPLETED, then="end")
        reached(Point.COMPLETE_BEFORE_COMMIT, ids)
    reached(Point.COMPLETE_AFTER_COMMIT, ids)
    return completed


def close(ids: Collection[int]) -> list[int]:
    """End those of the orders that hold neither stock nor money and whose customer has had every message."""
    with transaction.atomic():
        closed = scheduling.close(_with_nothing_left_but(((), (Step.CLOSE,)), lock_orders(ids, END_STATES)))
        reached(Point.CLOSE_BEFORE_COMMIT, ids)
    reached(Point.CLOSE_AFTER_COMMIT, ids)
    return closed


def _with_nothing_left_but(plans: Collection[Plan], locked: Collection[int]) -> list[int]:
    return [facts.order_id for facts in facts_of(locked) if remaining(facts) in plans]
