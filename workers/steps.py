"""What every task does around its one function of `orders`: hand on who goes on, and deal with who does not.

One bad order never fails the others. What failed leaves its batch with a time for its next try, or with a dead
letter; a batch that fails as a whole is taken apart, and each of its orders driven by itself.
"""

import logging
from collections.abc import Callable, Collection, Sequence
from datetime import datetime
from typing import Any

from celery import Task
from django.db import InterfaceError, OperationalError, close_old_connections
from django.utils import timezone

from orders import driving
from orders.crashpoints import Point, reached
from orders.models.order import number_of
from orders.outside.failures import Failure, Outcome
from workers import deadletters
from workers.queues import QueueName
from workers.retry import POLICIES, GiveUp
from workers.workflow import Step

log = logging.getLogger(__name__)


class StepTask(Task):
    """A task that takes a list of orders; Flower shows their numbers, not their ids."""

    Request = "workers.acknowledging:StepRequest"
    resultrepr_maxsize = 80  # of a hundred ids the first few will do

    def apply_async(self, args=None, kwargs=None, **options):  # type: ignore[no-untyped-def]
        if args and isinstance(args[0], list):
            options.setdefault("argsrepr", describe(args[0]))
        return super().apply_async(args, kwargs, **options)

    def after_return(self, _status: str, _result: Any, _task_id: str, args: Any, *_: Any) -> None:
        # What follows in the chain is rung by now, and the message not acknowledged yet.
        reached(Point.TASK_AFTER_PUBLISH, args[0] if args else ())


def describe(ids: Sequence[int]) -> str:
    """For people: "S-100017, S-100018, S-100019 … (40 orders)"."""
    shown = ", ".join(number_of(order_id) for order_id in ids[:5])
    return shown if len(ids) <= 5 else f"{shown} … ({len(ids)} orders)"


def perform(
    task: Task, step: Step, work: Callable[[Collection[int]], Outcome | list[int]], ids: list[int]
) -> list[int]:
    """Do the step for the batch; returns the orders that go on. Ends the chain when there are none."""
    reached(Point.TASK_BEGINS, ids)
    try:
        outcome = work(ids)
    except (OperationalError, InterfaceError):
        # Our own house is down: nobody's attempt is burnt, the leases run out and the relay comes back to them.
        close_old_connections()
        raise
    except Exception as error:
        log.exception("%s failed for %s", step.value, describe(ids))
        if len(ids) > 1:
            driving.look_at({order_id: timezone.now() for order_id in ids}, alone=True)
        else:
            deadletters.bury(step, dict.fromkeys(ids, error))
        outcome = []
    done = outcome if isinstance(outcome, list) else outcome.done
    if not isinstance(outcome, list):
        _leave_batch(step, outcome.failed)
        driving.look_at(dict.fromkeys(outcome.untried, timezone.now()))
    if not done:
        task.request.chain = None
    reached(Point.TASK_BEFORE_PUBLISH, done)
    return done


def _leave_batch(step: Step, failed: Collection[Failure]) -> None:
    policy = POLICIES[QueueName(step.value.partition(".")[0])]
    retries: dict[int, datetime] = {}
    given_up: dict[int, BaseException] = {}
    for failure in failed:
        decision = policy.decide(failure.error, failure.attempt)
        if not isinstance(decision, GiveUp):
            retries[failure.order_id] = decision.at
        else:
            given_up[failure.order_id] = failure.error
    driving.look_at(retries, alone=True)
    if given_up:
        deadletters.bury(step, given_up)
