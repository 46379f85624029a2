"""There is a sentence for every way in which an order can stand, and each says what is waited for."""

import string
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orders.scheduling import LEASE
from orders.states import OrderStatus, PaymentMethod, Provider
from orders.workflow import SIDE_BY_SIDE, STEPS, Facts, Step, remaining
from workers.breakers.rules import State
from workers.breakers.status import BreakerStatus
from workers.queues import ORDER_QUEUES, QueueName
from workers.why.queued import Queued
from workers.why.situation import LastFailure, OpenDeadLetter, Situation
from workers.why.words import Waiting, explain

NOW = datetime(2026, 11, 21, 12, 0, 0, tzinfo=UTC)
SOON, LATER = NOW + timedelta(seconds=12), NOW + timedelta(minutes=25)
BEFORE = NOW - timedelta(seconds=90)

moments = st.datetimes(datetime(2026, 1, 1), datetime(2027, 12, 31), timezones=st.just(UTC))
# Not the one word that would look as if we had forgotten something.
errors = st.text(string.printable, max_size=40).filter(lambda text: "None" not in text)
facts = st.builds(
    Facts,
    order_id=st.just(17),
    status=st.sampled_from(OrderStatus),
    payment_method=st.sampled_from(PaymentMethod),
)
letters = st.builds(
    OpenDeadLetter,
    id=st.integers(1, 10**6),
    task=st.sampled_from([*(step.value for step in Step), "documents.render", "no.such.task"]),
    error=errors,
    since=moments,
    stops=st.booleans(),
    attempts=st.integers(1, 300),
    replay=st.none() | st.integers(1, 99),
)
failures = st.builds(
    LastFailure,
    step=st.sampled_from([step.value for step in Step]),
    times=st.integers(1, 300),
    at=moments,
    error=errors,
)
breakers = st.builds(
    BreakerStatus,
    provider=st.sampled_from(Provider),
    state=st.sampled_from(State),
    since=st.none() | moments,
    failures=st.integers(0, 1000),
    next_probe_at=st.none() | moments,
    last_error=errors,
)
places = st.builds(
    Queued,
    queue=st.none() | st.sampled_from(ORDER_QUEUES),
    ahead=st.integers(0, 500),
    taken=st.booleans(),
    waiting=st.integers(0, 500),
)


@given(
    facts=facts,
    done=st.frozensets(st.sampled_from(SIDE_BY_SIDE)),
    flags=st.tuples(st.booleans(), st.booleans()),
    due_at=st.none() | moments,
    ended_at=st.none() | moments,
    attempts=st.integers(0, 5),
    letters=st.lists(letters, max_size=3).map(tuple),
    last_failure=st.none() | failures,
    breaker=st.none() | breakers,
    hold_until=st.none() | moments,
    queued=st.none() | places,
    queue_since=st.none() | moments,
    now=moments,
)
def test_every_way_to_stand_has_a_sentence(  # type: ignore[no-untyped-def]
    facts: Facts,
    done: frozenset[Step],
    flags: tuple[bool, bool],
    due_at: datetime | None,
    attempts: int,
    now: datetime,
    **rest,
) -> None:
    holds_stock, holds_money = flags
    plan = remaining(
        Facts(facts.order_id, facts.status, facts.payment_method, done, holds_stock, holds_money)
    )
    why = explain(
        Situation("S-100017", facts.status, due_at=due_at, attempts=attempts, plan=plan, **rest), now
    )
    assert why.sentence.startswith("S-100017 ")
    assert why.sentence.endswith(".")
    assert "None" not in why.sentence.replace(str(rest), "")
    assert why.as_dict()["waiting_for"]
    # What is at rest waits for nobody or for a person, and what is not never does.
    at_rest = {Waiting.NOTHING, Waiting.PERSON}
    assert (why.waiting_for in at_rest) == (due_at is None)
    if due_at is None and rest["ended_at"] is None:
        assert why.waiting_for is Waiting.PERSON


def seen(status: OrderStatus = OrderStatus.RESERVED, **changes: Any) -> Situation:
    """An order by card that stands so, and nobody is at it, due in 12 seconds; but for the changes."""
    plan = remaining(Facts(17, status, PaymentMethod.CARD))
    given: dict[str, Any] = {
        "due_at": SOON,
        "ended_at": None,
        "attempts": 0,
        "plan": plan,
        "queued": Queued(),
    }
    return Situation("S-100017", status, **{**given, **changes})


LETTER = OpenDeadLetter(12, "payment.charge", "Refused: no such card", BEFORE, stops=True)
FAILURE = LastFailure("payment.charge", 3, BEFORE, "Transient: the payment provider answered 500")
LEASED: dict[str, Any] = {"due_at": NOW + LEASE - timedelta(seconds=3), "attempts": 1}

SENTENCES = [
    (
        seen(OrderStatus.COMPLETED, due_at=None, ended_at=BEFORE),
        Waiting.NOTHING,
        "S-100017 is completed and waits for nothing: it ended at 11:58:30 UTC (90 s ago).",
    ),
    (
        seen(
            OrderStatus.COMPLETED,
            due_at=None,
            ended_at=BEFORE,
            letters=(OpenDeadLetter(13, "email.send", "Refused: no such mailbox", BEFORE, stops=False),),
        ),
        Waiting.NOTHING,
        "S-100017 is completed and waits for nothing: it ended at 11:58:30 UTC (90 s ago); on its "
        "way sending the "
        "e-mail was given up at 11:58:30 UTC (90 s ago) (Refused: no such mailbox), which is dead letter 13; "
        "`deadletters replay 13` takes it up again.",
    ),
    (
        seen(due_at=None, letters=(LETTER,)),
        Waiting.PERSON,
        "S-100017 has its stock reserved and waits for a person: charging it was given up at "
        "11:58:30 UTC (90 s ago) "
        "(Refused: no such card), which is dead letter 12; `deadletters replay 12` takes it up again.",
    ),
    (
        seen(due_at=None, letters=(OpenDeadLetter(12, "payment.charge", "Refused", BEFORE, True, 4, 3),)),
        Waiting.PERSON,
        "S-100017 has its stock reserved and is about to be taken up again: charging it was given "
        "up at 11:58:30 UTC "
        "(90 s ago) after 4 attempts (Refused), which is dead letter 12; replay 3 takes it up by itself.",
    ),
    (
        seen(due_at=None),
        Waiting.PERSON,
        "S-100017 has its stock reserved and waits for a person, but no open dead letter says "
        "why: dispatch it again in "
        "the admin, or cancel it.",
    ),
    (
        seen(
            breaker=BreakerStatus(
                Provider.PAYMENTS, State.OPEN, BEFORE, 7, next_probe_at=SOON, last_error="it answered 503"
            ),
            due_at=LATER,
        ),
        Waiting.PROVIDER,
        "S-100017 has its stock reserved and is parked for charging it until the payment provider "
        "is back: its breaker "
        "opened at 11:58:30 UTC (90 s ago) after 7 failures in a row (it answered 503), it is "
        "tried again at 12:00:12 "
        "UTC (in 12 s), and no attempt is counted meanwhile.",
    ),
    (
        seen(last_failure=FAILURE),
        Waiting.RETRY,
        "S-100017 has its stock reserved and waits for its next try of charging it at 12:00:12 UTC "
        "(in 12 s), after 3 "
        "failures, the last at 11:58:30 UTC (90 s ago) (Transient: the payment provider answered 500).",
    ),
    (
        seen(OrderStatus.AWAITING_PAYMENT, hold_until=LATER),
        Waiting.BUYER,
        "S-100017 awaits its payment: the bank asks the buyer, who has time until 12:25:00 UTC (in "
        "25 min); the "
        "provider is asked at 12:00:12 UTC (in 12 s), or as soon as it reports.",
    ),
    (
        seen(OrderStatus.PAID),
        Waiting.TIME,
        "S-100017 is paid and is looked at next at 12:00:12 UTC (in 12 s), for "
        f"{', '.join(STEPS[step].doing for step in SIDE_BY_SIDE[:-1])} and {STEPS[SIDE_BY_SIDE[-1]].doing}.",
    ),
    (
        seen(OrderStatus.PLACED, due_at=NOW - timedelta(seconds=1)),
        Waiting.RELAY,
        "S-100017 is placed and has been due for reserving its stock for 1 s: the relay is about to dispatch it.",
    ),
    (
        seen(OrderStatus.PLACED, due_at=BEFORE),
        Waiting.RELAY,
        "S-100017 is placed and has been due for reserving its stock for 90 s: no relay has claimed "
        "it, so see "
        "whether one is running.",
    ),
    (
        seen(OrderStatus.PLACED, due_at=BEFORE, queued=Queued(waiting=9)),
        Waiting.RELAY,
        "S-100017 is placed and has been due for reserving its stock for 90 s: 9 batches wait in "
        "the queues, and the next "
        "are dispatched when there are fewer.",
    ),
    (
        seen(OrderStatus.PLACED, due_at=BEFORE, queued=None),
        Waiting.BROKER,
        "S-100017 is placed and has been due for reserving its stock for 90 s: the broker is away; "
        "the order is safe in the "
        "database and is dispatched when the broker is back.",
    ),
    (
        seen(
            **LEASED, queued=Queued(QueueName.PAYMENT, 4, waiting=5), queue_since=NOW - timedelta(seconds=8)
        ),
        Waiting.QUEUE,
        "S-100017 has its stock reserved and waits in the queue payment for charging it, with 4 "
        "messages before it, the "
        "oldest for 8 s; it was dispatched 3 s ago, its lease runs out at 12:00:17 UTC (in 17 s).",
    ),
    (
        seen(**LEASED, queued=Queued(taken=True)),
        Waiting.WORKER,
        "S-100017 has its stock reserved and a worker is charging it; it was dispatched 3 s ago, its "
        "lease runs out at "
        "12:00:17 UTC (in 17 s).",
    ),
    (
        seen(**LEASED),
        Waiting.LEASE,
        "S-100017 has its stock reserved and was dispatched 3 s ago for charging it (attempt 1 of 3), "
        "but the broker has "
        "no message of it: a worker is just passing it on, or has died with it; its "
        "lease runs out at 12:00:17 "
        "UTC (in 17 s), and then it is dispatched again.",
    ),
    (
        seen(**LEASED, queued=None),
        Waiting.BROKER,
        "S-100017 has its stock reserved and was dispatched 3 s ago for charging it; the broker is away, "
        "so nobody "
        "can say where its message is: its lease runs out at 12:00:17 UTC (in 17 s).",
    ),
    (
        seen(due_at=NOW - timedelta(seconds=2), attempts=2),
        Waiting.RELAY,
        "S-100017 has its stock reserved and was dispatched 22 s ago for charging it, but its lease ran "
        "out at 11:59:58 "
        "UTC (2 s ago): nobody came back with an answer (attempt 2 of 3), and the relay takes it up "
        "again.",
    ),
]


@pytest.mark.parametrize(("stands", "waiting_for", "sentence"), SENTENCES)
def test_what_it_says(stands: Situation, waiting_for: Waiting, sentence: str) -> None:
    why = explain(stands, NOW)
    assert (why.waiting_for, why.sentence) == (waiting_for, sentence)


def test_each_thing_that_can_be_waited_for_is_shown_above() -> None:
    assert {waiting_for for _, waiting_for, _ in SENTENCES} == set(Waiting)
