"""All that is known about where an order stands: its row, what is left to do, what failed, what it waits for."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime

from django.db.models import Min
from redis.exceptions import RedisError

from orders.facts import facts_of
from orders.models import Order, Payment
from orders.scheduling import LEASE
from orders.states import OrderStatus
from orders.workflow import Plan, Step, first, remaining
from workers.breakers.status import BreakerStatus, parked_for
from workers.deadletters.choosing import RUNNING, attempts, attempts_since, open_letters
from workers.models import DeadLetter
from workers.why import queued
from workers.why.queued import Queued


@dataclass(frozen=True, slots=True)
class OpenDeadLetter:
    """`replay` is the running replay that will take it up, if there is one; `attempts` counts all failures."""

    id: int
    task: str
    error: str
    since: datetime
    stops: bool
    attempts: int = 1
    replay: int | None = None


@dataclass(frozen=True, slots=True)
class LastFailure:
    """Of a step that is tried again: how often it has failed in a row, and how the last time."""

    step: str
    times: int
    at: datetime
    error: str


@dataclass(frozen=True, slots=True)
class Situation:
    """Of one order at one moment. `queued` is None when the broker could not be asked; `queue_since` is when the oldest
    message in the order's queue was dispatched."""

    number: str
    status: OrderStatus
    due_at: datetime | None
    ended_at: datetime | None
    attempts: int
    plan: Plan
    letters: tuple[OpenDeadLetter, ...] = ()
    last_failure: LastFailure | None = None
    breaker: BreakerStatus | None = None
    hold_until: datetime | None = None
    queued: Queued | None = None
    queue_since: datetime | None = None

    @property
    def next_steps(self) -> tuple[Step, ...]:
        """What is to be done next, side by side; () when nothing is left."""
        return first(self.plan)


def look(order: Order) -> Situation:
    """What is known of this order. Needs the database; the broker may be away."""
    [facts] = facts_of([order.pk])
    plan = remaining(facts)
    found = _find(order) if order.due_at is not None else None
    payment: Payment | None = getattr(order, "payment", None)
    letters = open_letters().filter(order=order).select_related("replay")
    return Situation(
        number=order.number,
        status=OrderStatus(order.status),
        due_at=order.due_at,
        ended_at=order.ended_at,
        attempts=order.attempts,
        plan=plan,
        letters=tuple(map(_letter, letters.order_by("-stops_order", "id"))),
        last_failure=_last_failure(order, first(plan)),
        breaker=parked_for(order.due_at),
        hold_until=payment.hold_until if payment else None,
        queued=found,
        queue_since=_dispatched_at(found.oldest) if found and found.queue else None,
    )


def _find(order: Order) -> Queued | None:
    try:
        return queued.find(order.pk)
    except RedisError:
        return None


def _dispatched_at(ids: Collection[int]) -> datetime | None:
    """When the first of these orders was dispatched, or last went on."""
    due = Order.objects.filter(pk__in=ids, attempts__gt=0).aggregate(first=Min("due_at"))["first"]
    return due - LEASE if due else None


def _letter(letter: DeadLetter) -> OpenDeadLetter:
    replay = letter.replay if letter.replay and letter.replay.state in RUNNING else None
    return OpenDeadLetter(
        id=letter.pk,
        task=letter.task,
        error=_in_a_line(letter.error_class, letter.message),
        since=letter.created_at,
        stops=letter.stops_order,
        attempts=attempts(letter).count() + 1,
        replay=replay.pk if replay else None,
    )


def _last_failure(order: Order, steps: Collection[Step]) -> LastFailure | None:
    """The last failure of these steps since they were last given up, and how many there were of its step."""
    found = attempts_since(order.pk, steps)
    last = found.last()
    if last is None:
        return None
    error = _in_a_line(last.error_class, last.message)
    return LastFailure(last.task, found.filter(task=last.task).count(), last.at, error)


def _in_a_line(error_class: str, message: str) -> str:
    """For the end of a sentence: "Refused: no such card"."""
    return f"{error_class.rpartition('.')[2]}: {' '.join(message.split())}"[:200].rstrip(": ")
