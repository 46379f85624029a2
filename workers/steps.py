"""What every task of a step does around its one function of `orders`: pass on the orders that go on, and deal with
those that failed.

One bad order never fails the others: it leaves its batch, with a time for its next try or with a dead letter. A batch
that fails as a whole is taken apart, and each of its orders is dispatched alone. Orders whose provider is away are
parked (workers.breakers), and while our own database or broker is down nothing counts.
"""

import logging
from collections.abc import Collection, Sequence
from concurrent.futures import Future
from datetime import datetime
from typing import Any

from celery import Task
from django.utils import timezone

from orders import scheduling
from orders.counting import uncount
from orders.crashpoints import Point, reached
from orders.models.order import number_of
from orders.providers.failures import Failure
from orders.retry import GiveUp
from orders.states import Provider
from orders.workflow import SIDE_BY_SIDE, STEPS, Step, Work, work_of
from workers import aside, deadletters
from workers.breakers import admission
from workers.breakers.parking import park
from workers.leased import released_when_down
from workers.retry import INFRASTRUCTURE, INFRASTRUCTURE_DOWN, decide

log = logging.getLogger(__name__)

# Longer than any batch may take (a refund is four calls in a row), and than the lease: the orders of a task that hangs
# are dispatched again before it is killed with its process.
TIME_LIMIT = 35  # seconds


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
        # What follows in the chain is published by now, and the message not acknowledged yet.
        reached(Point.TASK_AFTER_PUBLISH, args[0] if args else ())


def describe(ids: Sequence[int]) -> str:
    """For people: "S-100017, S-100018, S-100019 … (40 orders)"."""
    shown = ", ".join(number_of(order_id) for order_id in ids[:5])
    return shown if len(ids) <= 5 else f"{shown} … ({len(ids)} orders)"


def perform(task: Task[Any, Any], step: Step, work: Work, ids: list[int]) -> list[int]:
    """Do the step for the batch; returns the orders that go on. Ends the chain when there are none."""
    reached(Point.TASK_BEGINS, ids)

    def release() -> None:
        scheduling.release(ids, timezone.now() + INFRASTRUCTURE.draw(1))

    def do() -> list[int]:
        with released_when_down(release, describe(ids)):
            return _work(step, work, ids)

    def late(future: Future[list[int]]) -> None:
        # The task has ended without them, and with the task the chain.
        try:
            done = future.result()
            with released_when_down(release, describe(ids)):
                _go_on(step, done)
        except Exception:
            log.exception("%s failed for %s", step.value, describe(ids))

    if provider := STEPS[step].provider:
        done = aside.run(do, len(ids), lambda: _doubt(provider), late, limit=TIME_LIMIT) or []
    else:
        done = do()
    # Orders that were dispatched for this step alone, as suspects, are due again and go on in a batch.
    if done and STEPS[step].leads_on and not task.request.chain:
        with released_when_down(release, describe(ids)):
            scheduling.make_due(done)
    if not done:
        task.request.chain = None
    reached(Point.TASK_BEFORE_PUBLISH, done)
    return done


def _go_on(step: Step, ids: list[int]) -> None:
    """The task of these orders has ended without them, and with the task the chain."""
    if step not in SIDE_BY_SIDE:
        scheduling.make_due(ids)
        return
    # The other steps of the group may still be at work: whichever is the last ends the order.
    for end in (Step.COMPLETE, Step.CLOSE):
        work_of(end)(ids)


def _doubt(provider: Provider) -> None:
    try:
        admission.doubt(provider)
    except INFRASTRUCTURE_DOWN as error:  # the step itself goes on
        log.warning("The breaker of %s could not be told that a call takes long: %s", provider.label, error)


def _work(step: Step, work: Work, ids: list[int]) -> list[int]:
    admitted = admission.admit(step, ids)
    park(step, admitted.held_back)
    if not admitted.let_through:
        return []
    try:
        outcome = work(admitted.let_through)
    except INFRASTRUCTURE_DOWN:
        raise
    except Exception as error:
        log.exception("%s failed for %s", step.value, describe(ids))
        if len(admitted.let_through) > 1:
            deadletters.note_attempts(step, dict.fromkeys(admitted.let_through, error))
            scheduling.schedule(dict.fromkeys(admitted.let_through, timezone.now()), alone=True)
        else:
            deadletters.bury(step, dict.fromkeys(admitted.let_through, error))
        return []
    if isinstance(outcome, list):
        return outcome
    _leave_batch(step, _without_parked(step, admission.report(admitted, outcome), outcome.failed))
    scheduling.schedule(dict.fromkeys(outcome.untried, timezone.now()))
    return outcome.done


def _without_parked(step: Step, report: admission.Report, failed: list[Failure]) -> list[Failure]:
    """Park the orders that failed because their provider is away; returns the other failures."""
    if not report.away:
        return failed
    parked = [failure.order_id for failure in failed if admission.is_away(failure)]
    if report.uncounted and parked and (record := STEPS[step].record):
        uncount(record, parked)
    park(step, parked)
    return [failure for failure in failed if not admission.is_away(failure)]


def _leave_batch(step: Step, failed: Collection[Failure]) -> None:
    since = scheduling.at_step_since([failure.order_id for failure in failed])
    retries: dict[int, datetime] = {}
    given_up: dict[int, BaseException] = {}
    for failure in failed:
        decision = decide(STEPS[step].retry, failure.error, failure.attempt, since.get(failure.order_id))
        if isinstance(decision, GiveUp):
            given_up[failure.order_id] = failure.error
        else:
            retries[failure.order_id] = decision.at
    deadletters.note_attempts(
        step, {failure.order_id: failure.error for failure in failed if failure.order_id in retries}
    )
    scheduling.schedule(retries, alone=True)
    if given_up:
        deadletters.bury(step, given_up)
