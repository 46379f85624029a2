"""What every task does around its one function of `orders`: hand on who goes on, and deal with who does not.

One bad order never fails the others. What failed leaves its batch with a time for its next try, or with a dead
letter; a batch that fails as a whole is taken apart, and each of its orders driven by itself. Whose provider is away is
parked (workers.breakers), and while our own house is down nothing counts.
"""

import logging
from collections.abc import Callable, Collection, Sequence
from datetime import datetime
from time import monotonic, sleep
from typing import Any

from celery import Task
from django.db import close_old_connections
from django.utils import timezone

from orders import scheduling
from orders.crashpoints import Point, reached
from orders.models.order import number_of
from orders.providers import forgiving
from orders.providers.failures import Failure, Outcome
from workers import breakers, deadletters
from workers.breakers.parking import park
from workers.retry import HOUSE, OUR_HOUSE, GiveUp, policy_of
from workers.workflow import Step

log = logging.getLogger(__name__)

# Longer than any batch may take (a refund is three calls in a row), and than the lease: what hangs for longer has been
# rung for again, and is killed with its process, which must not stand in the way.
TIME_LIMIT = 30
# How long a worker waits for its database, in seconds. It could do nothing else; afterwards the leases run out.
HOUSE_PATIENCE = 15.0

# After these an order stands elsewhere and has more to do: who was rung for one of them alone is looked at again.
LEADING_ON = (Step.RESERVE, Step.CHARGE)
_FORGIVE = {
    Step.CHARGE: forgiving.forgive_payments,
    Step.GIVE_BACK: forgiving.forgive_payments,
    Step.SHIP: forgiving.forgive_shipments,
    Step.EMAIL: forgiving.forgive_emails,
    Step.SMS: forgiving.forgive_texts,
}


class StepTask(Task[Any, Any]):
    """A task that takes a list of orders; Flower shows their numbers, not their ids."""

    Request = "workers.adapters.step_request:StepRequest"
    time_limit = TIME_LIMIT
    resultrepr_maxsize = 80  # of a hundred ids the first few will do

    def apply_async(self, args: Any = None, kwargs: Any = None, *more: Any, **options: Any) -> Any:
        if args and isinstance(args[0], list):
            options.setdefault("argsrepr", describe(args[0]))
        return super().apply_async(args, kwargs, *more, **options)

    def after_return(self, _status: str, _result: Any, _task_id: str, args: Any, *_: Any) -> None:
        # What follows in the chain is rung by now, and the message not acknowledged yet.
        reached(Point.TASK_AFTER_PUBLISH, args[0] if args else ())


def describe(ids: Sequence[int]) -> str:
    """For people: "S-100017, S-100018, S-100019 … (40 orders)"."""
    shown = ", ".join(number_of(order_id) for order_id in ids[:5])
    return shown if len(ids) <= 5 else f"{shown} … ({len(ids)} orders)"


def perform(
    task: Task[Any, Any], step: Step, work: Callable[[Collection[int]], Outcome | list[int]], ids: list[int]
) -> list[int]:
    """Do the step for the batch; returns the orders that go on. Ends the chain when there are none."""
    reached(Point.TASK_BEGINS, ids)
    try:
        done = _work(step, work, ids)
        if done and step in LEADING_ON and not task.request.chain:
            scheduling.make_due(done)
    except OUR_HOUSE:
        _hand_back(ids)
        raise
    if not done:
        task.request.chain = None
    reached(Point.TASK_BEFORE_PUBLISH, done)
    return done


def _work(step: Step, work: Callable[[Collection[int]], Outcome | list[int]], ids: list[int]) -> list[int]:
    admission = breakers.admit(step, ids)
    park(step, admission.barred)
    if not admission.passing:
        return []
    try:
        outcome = work(admission.passing)
    except OUR_HOUSE:
        raise
    except Exception as error:
        log.exception("%s failed for %s", step.value, describe(ids))
        if len(admission.passing) > 1:
            deadletters.note_attempts(step, dict.fromkeys(admission.passing, error))
            scheduling.look_at(dict.fromkeys(admission.passing, timezone.now()), alone=True)
        else:
            deadletters.bury(step, dict.fromkeys(admission.passing, error))
        return []
    if isinstance(outcome, list):
        return outcome
    _leave_batch(step, _without_parked(step, breakers.report(admission, outcome), outcome.failed))
    scheduling.look_at(dict.fromkeys(outcome.untried, timezone.now()))
    return outcome.done


def _without_parked(step: Step, report: breakers.Report, failed: list[Failure]) -> list[Failure]:
    """Park those who failed at a door that is shut; returns the others."""
    if not report.shut:
        return failed
    parked = [failure.order_id for failure in failed if breakers.is_away(failure)]
    if report.forgiven and parked:
        _FORGIVE[step](parked)
    park(step, parked)
    return [failure for failure in failed if not breakers.is_away(failure)]


def _leave_batch(step: Step, failed: Collection[Failure]) -> None:
    policy = policy_of(step.value)
    since = scheduling.standing_since([failure.order_id for failure in failed])
    retries: dict[int, datetime] = {}
    given_up: dict[int, BaseException] = {}
    for failure in failed:
        decision = policy.decide(failure.error, failure.attempt, since.get(failure.order_id))
        if isinstance(decision, GiveUp):
            given_up[failure.order_id] = failure.error
        else:
            retries[failure.order_id] = decision.at
    deadletters.note_attempts(
        step, {failure.order_id: failure.error for failure in failed if failure.order_id in retries}
    )
    scheduling.look_at(retries, alone=True)
    if given_up:
        deadletters.bury(step, given_up)


def _hand_back(ids: list[int]) -> None:
    """Our own house is down: nobody's attempt is burnt. Give the orders back as soon as there is somebody to give
    them to; when that takes too long the leases run out."""
    until, attempt = monotonic() + HOUSE_PATIENCE, 1
    while True:
        close_old_connections()
        try:
            scheduling.hand_back(ids, HOUSE.wait(attempt).at)
            return
        except OUR_HOUSE as error:
            if monotonic() > until:
                log.warning("Could not give back %s: %s", describe(ids), error)
                return
        sleep(HOUSE.longest(attempt))
        attempt += 1
