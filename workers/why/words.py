"""Says in one sentence where an order stands and what it waits for. Pure: it asks nobody, not even the clock."""

from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

from orders.lease import MAX_ATTEMPTS
from orders.scheduling import LEASE
from orders.states import OrderStatus
from orders.workflow import STEPS, Step
from workers.breakers.rules import State
from workers.queues import BATCHES_WAITING
from workers.why.situation import LastFailure, OpenDeadLetter, Situation

# A relay claims due orders many times a second: if one has been due for so long, no relay is running.
_UNCLAIMED = timedelta(seconds=5)


class Waiting(StrEnum):
    """What an order waits for."""

    NOTHING = "nothing"
    PERSON = "a person"
    PROVIDER = "a provider"
    BUYER = "the buyer"
    RETRY = "its next try"
    TIME = "its time"
    RELAY = "the relay"
    BROKER = "the broker"
    QUEUE = "its turn in a queue"
    WORKER = "a worker"
    LEASE = "its lease to run out"


@dataclass(frozen=True, slots=True)
class Why:
    """`until` is when the waiting ends at the latest, if that is known."""

    sentence: str
    waiting_for: Waiting
    order: str
    status: OrderStatus
    steps: tuple[Step, ...] = ()
    until: datetime | None = None
    queue: str | None = None
    dead_letters: tuple[int, ...] = ()

    def as_dict(self) -> dict[str, Any]:
        """For JSON: plain values, times in ISO 8601."""
        return {**asdict(self), "until": self.until.isoformat() if self.until else None}


_IS = {
    OrderStatus.PLACED: "is placed",
    OrderStatus.RESERVED: "has its stock reserved",
    OrderStatus.AWAITING_PAYMENT: "awaits its payment",
    OrderStatus.PAID: "is paid",
    OrderStatus.COMPLETED: "is completed",
    OrderStatus.OUT_OF_STOCK: "is out of stock",
    OrderStatus.PAYMENT_DECLINED: "had its payment declined",
    OrderStatus.CANCELLED: "is cancelled",
    OrderStatus.REFUNDED: "is refunded",
}


def explain(seen: Situation, now: datetime) -> Why:
    """Why the order stands where it stands, at `now`."""
    waiting_for, words, until = _explained(seen, now)
    return Why(
        sentence=f"{seen.number} {_IS[seen.status]}{words}.",
        waiting_for=waiting_for,
        order=seen.number,
        status=seen.status,
        steps=seen.next_steps,
        until=until,
        queue=seen.queued.queue.value if seen.queued and seen.queued.queue else None,
        dead_letters=tuple(letter.id for letter in seen.letters),
    )


_Explained = tuple[Waiting, str, datetime | None]


def _explained(seen: Situation, now: datetime) -> _Explained:
    if seen.due_at is None:
        return _at_rest(seen, now)
    if seen.attempts:
        return _under_way(seen, seen.due_at, now)
    if seen.due_at <= now:
        return _due(seen, seen.due_at, now)
    return _later(seen, seen.due_at, now)


def _at_rest(seen: Situation, now: datetime) -> _Explained:
    stopping = [letter for letter in seen.letters if letter.stops]
    if stopping:
        first, *others = stopping
        more = f", and so were {len(others)} more of its steps" if others else ""
        waits = " waits for a person" if first.replay is None else " is about to be taken up again"
        return Waiting.PERSON, f" and{waits}: {_given_up(first, now)}{more}", None
    if seen.ended_at is None:
        return (
            Waiting.PERSON,
            " and waits for a person, but no open dead letter says why: dispatch it again in the admin, or cancel it",
            None,
        )
    aside = "; ".join(f"on its way {_given_up(letter, now)}" for letter in seen.letters)
    ended = f" and waits for nothing: it ended {_moment(seen.ended_at, now)}"
    return Waiting.NOTHING, f"{ended}; {aside}" if aside else ended, None


def _given_up(letter: OpenDeadLetter, now: datetime) -> str:
    attempts = f" after {letter.attempts} attempts" if letter.attempts > 1 else ""
    what_next = (
        f"`deadletters replay {letter.id}` takes it up again"
        if letter.replay is None
        else f"replay {letter.replay} takes it up by itself"
    )
    return (
        f"{_doing_task(letter.task)} was given up {_moment(letter.since, now)}{attempts} ({letter.error}), "
        f"which is dead letter {letter.id}; {what_next}"
    )


def _later(seen: Situation, due_at: datetime, now: datetime) -> _Explained:
    breaker = seen.breaker
    if breaker is not None and breaker.state != State.CLOSED:
        said = f" ({breaker.last_error})" if breaker.last_error else ""
        since = f" {_moment(breaker.since, now)}" if breaker.since else ""
        probe = _moment(breaker.next_probe_at, now) if breaker.next_probe_at else "soon"
        return (
            Waiting.PROVIDER,
            f" and is parked for {_doing(seen)} until the {_inside(breaker.name)} is back: its breaker opened{since} "
            f"after {_count(breaker.failures, 'failure')} in a row{said}, it is tried again {probe}, and "
            "no attempt is counted meanwhile",
            breaker.next_probe_at,
        )
    failure = seen.last_failure
    if failure is not None:
        return (
            Waiting.RETRY,
            f" and waits for its next try of {_doing_task(failure.step)} {_moment(due_at, now)}, "
            f"after {_failures(failure, now)}",
            due_at,
        )
    if seen.status == OrderStatus.AWAITING_PAYMENT:
        until = f" until {_moment(seen.hold_until, now).removeprefix('at ')}" if seen.hold_until else ""
        return (
            Waiting.BUYER,
            f": the bank asks the buyer, who has time{until}; the provider is asked {_moment(due_at, now)}, "
            "or as soon as it reports",
            seen.hold_until or due_at,
        )
    return Waiting.TIME, f" and is looked at next {_moment(due_at, now)}, for {_doing(seen)}", due_at


def _due(seen: Situation, due_at: datetime, now: datetime) -> _Explained:
    due = f" and has been due for {_doing(seen)} for {_ago(due_at, now)}"
    if seen.queued is None:
        return (
            Waiting.BROKER,
            f"{due}: the broker is away; the order is safe in the database and is dispatched when the broker is back",
            None,
        )
    if seen.queued.waiting >= BATCHES_WAITING:
        crowd = f"{seen.queued.waiting} batches wait in the queues, and the next are dispatched when there are fewer"
        return Waiting.RELAY, f"{due}: {crowd}", None
    if now - due_at > _UNCLAIMED:
        return Waiting.RELAY, f"{due}: no relay has claimed it, so see whether one is running", None
    return Waiting.RELAY, f"{due}: the relay is about to dispatch it", None


def _under_way(seen: Situation, lease_ends: datetime, now: datetime) -> _Explained:
    since = f"dispatched {_ago(lease_ends - LEASE, now)} ago"
    attempt = f"attempt {seen.attempts} of {MAX_ATTEMPTS}"
    if lease_ends <= now:
        return (
            Waiting.RELAY,
            f" and was {since} for {_doing(seen)}, but its lease ran out {_moment(lease_ends, now)}: "
            f"nobody came back with an answer ({attempt}), and the relay takes it up again",
            None,
        )
    lease = f"its lease runs out {_moment(lease_ends, now)}"
    trouble = f"; there were {_failures(seen.last_failure, now)}" if seen.last_failure else ""
    if seen.queued is None:
        return (
            Waiting.BROKER,
            f" and was {since} for {_doing(seen)}; the broker is away, so nobody can say where its message is: "
            f"{lease}{trouble}",
            lease_ends,
        )
    if seen.queued.queue:
        before = _count(seen.queued.ahead, "message")
        oldest = f", the oldest for {_ago(seen.queue_since, now)}" if seen.queue_since else ""
        return (
            Waiting.QUEUE,
            f" and waits in the queue {seen.queued.queue.value} for {_doing(seen)}, with {before} before it{oldest}; "
            f"it was {since}, {lease}{trouble}",
            lease_ends,
        )
    if seen.queued.taken:
        return (
            Waiting.WORKER,
            f" and a worker is {_doing(seen)}; it was {since}, {lease}{trouble}",
            lease_ends,
        )
    return (
        Waiting.LEASE,
        f" and was {since} for {_doing(seen)} ({attempt}), but the broker has no message of it: a worker is just "
        f"passing it on, or has died with it; {lease}, and then it is dispatched again{trouble}",
        lease_ends,
    )


def _failures(failure: LastFailure, now: datetime) -> str:
    return f"{_count(failure.times, 'failure')}, the last {_moment(failure.at, now)} ({failure.error})"


def _doing(seen: Situation) -> str:
    """ "reserving its stock"; of steps side by side, all of them."""
    words = [STEPS[step].doing for step in seen.next_steps]
    if not words:
        return STEPS[Step.CLOSE].doing
    return " and ".join([", ".join(words[:-1]), words[-1]] if len(words) > 1 else words)


def _doing_task(task: str) -> str:
    """A dead letter may be of any task."""
    return STEPS[Step(task)].doing if task in STEPS else task


def _inside(name: str) -> str:
    """A name within a sentence: "carrier", but "SMS gateway"."""
    return name if name[1:2].isupper() else name[:1].lower() + name[1:]


def _count(number: int, what: str) -> str:
    if not number:
        return f"no {what}"
    return f"1 {what}" if number == 1 else f"{number:,} {what}s"


def _moment(moment: datetime, now: datetime) -> str:
    """ "at 10:57:03 UTC (in 12 s)"; the day too when it is another one."""
    day = "" if moment.date() == now.date() else f"{moment:%-d %b %Y} "
    relative = f"in {_span(moment - now)}" if moment > now else f"{_ago(moment, now)} ago"
    return f"at {day}{moment:%H:%M:%S} UTC ({relative})"


def _ago(moment: datetime, now: datetime) -> str:
    return _span(max(now - moment, timedelta(0)))


def _span(span: timedelta) -> str:
    """In the largest unit that leaves two or more of it: "12 s", "90 s", "3 min", "5 h", "2 days"."""
    seconds = span.total_seconds()
    for size, unit in ((86_400, "days"), (3_600, "h"), (60, "min")):
        if seconds >= 2 * size:
            return f"{seconds / size:.0f} {unit}"
    return f"{seconds:.0f} s"
