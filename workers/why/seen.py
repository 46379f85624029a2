"""All that is known about where an order stands: its row, what is left to do, what failed, who is waited for."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime

from django.db.models import Max
from redis.exceptions import RedisError

from orders.facts import facts_of
from orders.models import Order, Payment
from orders.scheduling import LEASE
from orders.states import OrderStatus
from orders.workflow import Plan, Step, remaining
from orders.workflow import steps as steps_of
from workers.breakers.status import BreakerStatus, parked_for
from workers.deadletters.choosing import RUNNING, attempts
from workers.models import DeadLetter, FailedAttempt
from workers.why import queued
from workers.why.queued import Queued


@dataclass(frozen=True, slots=True)
class Letter:
    """An open dead letter; `replay` names the replay of many that will take it up, if one will."""

    id: int
    task: str
    error: str
    since: datetime
    stops: bool
    tries: int = 1
    replay: int | None = None


@dataclass(frozen=True, slots=True)
class Failing:
    """A step that has failed and is tried again: how often it failed in a row, and how the last time."""

    step: str
    times: int
    at: datetime
    error: str


@dataclass(frozen=True, slots=True)
class Seen:
    """How one order stands at one moment. `queued` is None when the broker could not be asked; `queue_since` is when
    the eldest message in the order's queue was rung."""

    number: str
    status: OrderStatus
    due_at: datetime | None
    ended_at: datetime | None
    attempts: int
    plan: Plan
    letters: tuple[Letter, ...] = ()
    failing: Failing | None = None
    breaker: BreakerStatus | None = None
    hold_until: datetime | None = None
    queued: Queued | None = None
    queue_since: datetime | None = None

    @property
    def next_steps(self) -> tuple[Step, ...]:
        """What is to be done now, side by side; () when nothing is left."""
        return steps_of(self.plan[:1])


def look(order: Order) -> Seen:
    """What there is to know of an order as it was read; the database has to be there, the broker need not be."""
    [facts] = facts_of([order.pk])
    plan = remaining(facts)
    found = _find(order) if order.due_at is not None else None
    payment: Payment | None = getattr(order, "payment", None)
    return Seen(
        number=order.number,
        status=OrderStatus(order.status),
        due_at=order.due_at,
        ended_at=order.ended_at,
        attempts=order.attempts,
        plan=plan,
        letters=tuple(_letter(letter) for letter in _open_letters(order)),
        failing=_failing(order, steps_of(plan[:1])),
        breaker=parked_for(order.due_at),
        hold_until=payment.hold_until if payment else None,
        queued=found,
        queue_since=_rung_at(found.eldest) if found and found.queue else None,
    )


def _find(order: Order) -> Queued | None:
    try:
        return queued.find(order.pk)
    except RedisError:
        return None


def _rung_at(ids: Collection[int]) -> datetime | None:
    """When the first of these orders was rung, or has last moved on."""
    due = Order.objects.filter(pk__in=ids, attempts__gt=0).order_by("due_at").values_list("due_at", flat=True)
    first = due.first()
    return first - LEASE if first else None


def _open_letters(order: Order) -> list[DeadLetter]:
    letters = DeadLetter.objects.filter(order=order, resolved_at=None)
    return list(letters.select_related("replay").order_by("-stops_order", "id"))


def _letter(letter: DeadLetter) -> Letter:
    replay = letter.replay if letter.replay and letter.replay.state in RUNNING else None
    return Letter(
        id=letter.pk,
        task=letter.task,
        error=_in_a_line(letter.error_class, letter.message),
        since=letter.created_at,
        stops=letter.stops_order,
        tries=attempts(letter).count() + 1,
        replay=replay.pk if replay else None,
    )


def _failing(order: Order, steps: Collection[Step]) -> Failing | None:
    """The last failure of these steps since they were last given up, and how many there were of its step."""
    if not steps:
        return None
    tries = FailedAttempt.objects.filter(order=order, task__in=[step.value for step in steps])
    given_up = DeadLetter.objects.filter(order=order).aggregate(last=Max("created_at"))["last"]
    tries = tries.filter(at__gt=given_up) if given_up else tries
    last = tries.order_by("-id").first()
    if last is None:
        return None
    error = _in_a_line(last.error_class, last.message)
    return Failing(last.task, tries.filter(task=last.task).count(), last.at, error)


def _in_a_line(error_class: str, message: str) -> str:
    """For the end of a sentence: "Refused: no such card"."""
    return f"{error_class.rpartition('.')[2]}: {' '.join(message.split())}"[:200].rstrip(": ")
