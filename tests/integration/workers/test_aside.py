"""Orders whose provider does not answer hold up no others: their step goes on beside the tasks that follow."""

import signal
import subprocess
import sys
from collections.abc import Callable, Collection, Iterator
from datetime import timedelta
from threading import Barrier, Event

import pytest
from django.db import connections
from django.utils import timezone

from orders import inventory, scheduling
from orders.invoices import issuing
from orders.models import InvoiceCounter, Notification, Order, Payment
from orders.notifications import email, sms
from orders.payments import charging
from orders.providers.failures import Failure, Outcome, Transient
from orders.providers.http import close_client
from orders.shipping import booking
from orders.states import OrderStatus, Provider
from orders.workflow import Step
from stack.layout import ROOT
from tests.making import place_order, stock
from tests.waiting import wait_for
from workers import aside
from workers.breakers.rules import FAILURES_IN_A_ROW, State
from workers.models import Breaker, DeadLetter
from workers.steps import perform
from workers.tasks import STEP_TASKS

pytestmark = pytest.mark.django_db(transaction=True)

Work = Callable[[Collection[int]], Outcome]

HANGS = """
import threading
from workers import aside

aside.begin()
assert aside.run(lambda: threading.Event().wait(60), 1, lambda: None, lambda _: None, limit=0.1) is None
threading.Event().wait(60)
"""


@pytest.fixture(autouse=True)
def _with_threads(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """As in a worker's process. No thread outlives its test."""
    Breaker.objects.bulk_create([Breaker(provider=one) for one in Provider], ignore_conflicts=True)
    Breaker.objects.update(answered_at=None)
    monkeypatch.setattr(aside, "_threads", None)  # as it is again after the test
    threads = aside.begin()
    yield
    every = Barrier(aside.PLACES + 1)

    def leave() -> None:
        every.wait()  # so that each thread does it
        connections.close_all()
        close_client()

    for _ in range(aside.PLACES + 1):
        threads.submit(leave)
    threads.shutdown()


@pytest.fixture
def silence() -> Iterator[Event]:
    """A provider that says nothing until this is set."""
    ends = Event()
    yield ends
    ends.set()


def unanswered(silence: Event, work: Work | None = None) -> Work:
    """A step that waits for its provider in vain, or has its answer late."""

    def waits(ids: Collection[int]) -> Outcome:
        assert silence.wait(20)
        return work(ids) if work else Outcome([], [Failure(pk, Transient("no answer"), 1) for pk in ids])

    return waits


def reserved(count: int) -> list[int]:
    stock(KETTLE=1_000)
    ids = [place_order().pk for _ in range(count)]
    inventory.reserve(ids)
    return ids


def run(ids: list[int], work: Work, step: Step = Step.CHARGE) -> list[int]:
    return perform(STEP_TASKS[step], step, work, ids)


def status(order_id: int) -> str:
    return Order.objects.values_list("status", flat=True).get(pk=order_id)


def breaker(provider: Provider = Provider.PAYMENTS) -> Breaker:
    return Breaker.objects.get(pk=provider)


def wait_until_left(ids: list[int]) -> None:
    """They have failed, and are to be tried again alone."""
    wait_for(lambda: Order.objects.filter(pk__in=ids, alone=True).count() == len(ids) or None, "them to fail")


@pytest.mark.parametrize("size", [1, FAILURES_IN_A_ROW], ids=["one after the other", "in a batch"])
def test_who_comes_behind_cards_that_do_not_answer_is_charged_meanwhile(silence: Event, size: int) -> None:
    *hanging, good = reserved(FAILURES_IN_A_ROW + 1)
    for first in range(0, FAILURES_IN_A_ROW, size):
        assert run(hanging[first : first + size], unanswered(silence)) == []
    assert run([good], charging.charge) == [good]  # nobody has ended the silence
    assert status(good) == OrderStatus.PAID

    silence.set()
    wait_until_left(hanging)
    assert (breaker().state, breaker().failures) == (State.CLOSED, 0)
    assert not DeadLetter.objects.exists()
    assert run(hanging, charging.charge) == hanging


def test_so_it_is_with_a_mailbox_that_does_not_answer(silence: Event) -> None:
    slow, good = paid = reserved(2)
    charging.charge(paid)
    assert run([slow], unanswered(silence), Step.EMAIL) == []
    assert run([good], email.mail, Step.EMAIL) == [good]


def test_a_provider_that_answers_nobody_is_away(silence: Event) -> None:
    """Whoever was answered before the calls began says nothing of what is now."""
    *hanging, good = reserved(FAILURES_IN_A_ROW + 1)
    assert run([good], charging.charge) == [good]
    assert run(hanging, unanswered(silence)) == []
    silence.set()
    wait_for(lambda: breaker().state == State.OPEN or None, "the breaker to open")


def test_an_answer_to_another_process_is_one_too(silence: Event) -> None:
    hanging = reserved(FAILURES_IN_A_ROW)
    assert run(hanging, unanswered(silence)) == []
    Breaker.objects.update(answered_at=timezone.now() + timedelta(seconds=1))
    silence.set()
    wait_until_left(hanging)
    assert breaker().state == State.CLOSED


def test_an_answer_right_after_another_is_one_too(silence: Event) -> None:
    *hanging, before, meanwhile = reserved(FAILURES_IN_A_ROW + 2)
    assert run([before], charging.charge) == [before]
    assert run(hanging, unanswered(silence)) == []
    assert run([meanwhile], charging.charge) == [meanwhile]
    silence.set()
    wait_until_left(hanging)
    assert breaker().state == State.CLOSED


def test_a_large_batch_that_waits_while_another_is_answered_opens_no_breaker() -> None:
    *hanging, before, meanwhile = reserved(aside.FEW + 3)
    assert run([before], charging.charge) == [before]

    def in_vain(ids: Collection[int]) -> Outcome:
        wait_for(lambda: breaker().answered_at is None or None, "the breaker to be in doubt")
        assert run([meanwhile], charging.charge) == [meanwhile]
        return Outcome([], [Failure(pk, Transient("no answer"), 1) for pk in ids])

    assert run(hanging, in_vain) == []
    assert breaker().state == State.CLOSED


def test_of_steps_side_by_side_the_last_ends_the_order(silence: Event) -> None:
    """And not an earlier one, or those still at work would be done twice at once."""
    InvoiceCounter.objects.get_or_create()  # a migration made it; the end of a transactional test removes it
    paid = reserved(1)
    charging.charge(paid)
    carrier_silence = Event()
    assert run(paid, unanswered(silence, email.mail), Step.EMAIL) == []
    assert run(paid, unanswered(carrier_silence, booking.book), Step.SHIP) == []
    sms.text(paid)
    issuing.issue(paid)
    silence.set()
    wait_for(lambda: len(aside._aside) == 1 or None, "the e-mail's step to end")
    wait_for(
        lambda: Notification.objects.filter(channel="email", status="sent").exists() or None, "the e-mail"
    )
    assert not scheduling.any_due()
    carrier_silence.set()
    wait_for(lambda: status(paid[0]) == OrderStatus.COMPLETED or None, "the order to end")


def test_what_hangs_is_killed_with_its_process() -> None:
    ended = subprocess.run([sys.executable, "-c", HANGS], cwd=ROOT, timeout=50)
    assert ended.returncode == -signal.SIGKILL


def test_a_late_answer_is_written_and_its_order_is_due_at_once(silence: Event) -> None:
    [slow] = reserved(1)
    assert run([slow], unanswered(silence, charging.charge)) == []
    assert Payment.objects.get(order=slow).status == Payment.Status.PENDING
    silence.set()
    wait_for(lambda: slow in [due.order_id for due in scheduling.claim(10)] or None, "it to be due")
    assert status(slow) == OrderStatus.PAID


def test_a_process_that_ends_waits_for_what_is_aside(silence: Event) -> None:
    [slow] = reserved(1)
    assert run([slow], unanswered(silence, charging.charge)) == []
    aside.finish(0.01)
    assert status(slow) == OrderStatus.RESERVED
    silence.set()
    aside.finish(20)
    assert status(slow) == OrderStatus.PAID


def test_a_bug_that_shows_late_is_a_dead_letter_too(silence: Event) -> None:
    def bug(ids: Collection[int]) -> Outcome:
        raise RuntimeError("boom")

    [one] = reserved(1)
    assert run([one], unanswered(silence, bug)) == []
    silence.set()
    wait_for(lambda: DeadLetter.objects.filter(order=one).exists() or None, "the dead letter")


def test_more_than_there_are_places_for_wait_as_they_did_before(silence: Event) -> None:
    ids = reserved(aside.PLACES + 1)
    for one in ids[:-1]:
        assert run([one], unanswered(silence)) == []
    begun = Event()

    def ends_the_silence(some: Collection[int]) -> Outcome:
        begun.set()
        silence.set()
        return charging.charge(some)

    assert run(ids[-1:], ends_the_silence) == ids[-1:]
    assert begun.is_set()


def test_of_a_large_batch_the_task_sees_the_end(silence: Event) -> None:
    ids = reserved(aside.FEW + 1)

    def slowly(some: Collection[int]) -> Outcome:
        assert not silence.wait(2 * aside.PATIENCE)
        return charging.charge(some)

    assert run(ids, slowly) == ids
