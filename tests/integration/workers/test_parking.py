"""Parking: while a provider is away its orders wait without being tried or counted, and its return wakes them all."""

import json
import threading
import urllib.request
from collections.abc import Callable, Collection, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta

import pytest
import redis
from django.conf import settings
from django.core.management import call_command
from django.db import connection, transaction
from django.utils import timezone

from orders import inventory, scheduling
from orders.counting import count_failures
from orders.models import Notification, Order, Payment, Shipment
from orders.notifications import email, sms
from orders.payments import charging
from orders.providers.failures import Failure, NotNow, Outcome, Transient
from orders.scheduling import claim
from orders.shipping import booking
from orders.states import OrderStatus, Provider
from orders.workflow import PAYMENT, STEPS, Step
from tests.emptying import believe_empty
from tests.making import at_once, ledger, place_order, stock
from tests.waiting import wait_for
from workers.breakers import admission, recovery, status
from workers.breakers.parking import park
from workers.breakers.rules import FAILURES_IN_A_ROW, RECOVERY_STAGES, State
from workers.models import Breaker, DeadLetter
from workers.queues import QueueName
from workers.relay.duties import Relay
from workers.steps import perform
from workers.tasks import STEP_TASKS

charge = STEP_TASKS[Step.CHARGE]
send_email = STEP_TASKS[Step.EMAIL]
send_sms = STEP_TASKS[Step.SMS]

pytestmark = pytest.mark.django_db(transaction=True)


def set_down(url: str, down: bool) -> None:
    request = urllib.request.Request(  # noqa: S310 (our own URL)
        f"{url}/faults", json.dumps({"down": down}).encode(), {"Content-Type": "application/json"}
    )
    urllib.request.urlopen(request).close()  # noqa: S310


@pytest.fixture(autouse=True)
def _all_closed() -> None:
    """The migration gives every provider a row; a test begins without any."""
    Breaker.objects.all().delete()


@pytest.fixture
def without_payments() -> Iterator[None]:
    set_down(settings.PAYMENTS_URL, True)
    yield
    set_down(settings.PAYMENTS_URL, False)


def reserved(count: int) -> list[int]:
    """Orders on their way to be charged, as a relay has claimed them."""
    stock(KETTLE=1_000)
    ids = [place_order().pk for _ in range(count)]
    inventory.reserve(ids)  # which gives them their lease
    return ids


def run_charge(
    ids: Collection[int], work: Callable[[Collection[int]], Outcome] = charging.charge
) -> list[int]:
    return perform(charge, Step.CHARGE, work, list(ids))


def opened(provider: Provider = Provider.PAYMENTS) -> Breaker:
    """A breaker that has just opened."""
    now = timezone.now()
    return Breaker.objects.create(
        provider=provider,
        state=State.OPEN,
        generation=1,
        failures=FAILURES_IN_A_ROW,
        next_probe_at=now + timedelta(seconds=10),
        parked_until=now + timedelta(minutes=15),
    )


def failures() -> set[int]:
    return set(Payment.objects.values_list("failures", flat=True))


def claimed() -> list[int]:
    """The orders that are due to be charged, as a relay takes them."""
    return [order.order_id for order in claim(1_000) if order.status == OrderStatus.RESERVED]


def due() -> list[int]:
    return list(Order.objects.filter(due_at__lte=timezone.now()).values_list("pk", flat=True))


def away(ids: Collection[int]) -> Outcome:
    """What a step makes of a batch while its provider is away, its failures counted."""
    counted = Payment.objects.filter(order_id__in=ids)
    with transaction.atomic():
        count_failures(PAYMENT, dict.fromkeys(ids, Transient("connection refused")))
    return Outcome(
        [], [Failure(one.order_id, Transient("connection refused"), one.failures) for one in counted]
    )


def test_a_provider_that_is_away_parks_its_orders_and_burns_no_further_attempt(
    without_payments: None, broker: redis.Redis
) -> None:
    ids = reserved(20)
    run_charge(ids)
    breaker = Breaker.objects.get()
    assert breaker.state == State.OPEN
    assert "no connection" in breaker.last_error
    parked = Order.objects.filter(due_at=breaker.parked_until, attempts=0, alone=False)
    assert parked.count() == 20
    assert failures() == {1}

    late = reserved(5)
    run_charge([*ids, *late])
    scheduling.make_due(ids)
    Relay().run_once()
    assert broker.llen(QueueName.PAYMENT.value) == 0
    assert parked.count() == 25
    assert failures() == {0, 1}
    [found] = [one for one in status.statuses() if one.state != State.CLOSED]
    assert (found.name, found.parked) == ("Payment provider", 25)


def test_its_return_lets_a_few_through_and_then_everybody() -> None:
    ids = reserved(130)
    set_down(settings.PAYMENTS_URL, True)
    try:
        run_charge(ids)
        Breaker.objects.update(next_probe_at=timezone.now())
        recovery.run_once()
        [probe] = claimed()
        run_charge([probe])  # still away
    finally:
        set_down(settings.PAYMENTS_URL, False)
    assert due() == []
    assert failures() == {1}  # the probe that failed was not counted

    Breaker.objects.update(next_probe_at=timezone.now())
    let_through = []
    while Breaker.objects.get().state != State.CLOSED:
        recovery.run_once()
        passing = claimed()
        let_through.append(len(passing))
        run_charge(passing)
    assert tuple(let_through) == RECOVERY_STAGES
    recovery.run_once()
    recovery.run_once()
    assert Breaker.objects.get().parked_until is None
    rest = claimed()
    assert len(rest) == 130 - sum(RECOVERY_STAGES)
    run_charge(rest)
    assert Payment.objects.filter(status=Payment.Status.CAPTURED).count() == 130
    keys = [entry["key"] for entry in ledger("payments") if entry["kind"] == "captured"]
    assert len(keys) == len(set(keys))


def test_one_is_let_through_first_whatever_the_planner_believes() -> None:
    place_order()
    believe_empty("orders_order")
    ids = reserved(6)
    breaker = opened()
    Order.objects.filter(pk__in=ids).update(due_at=breaker.parked_until, attempts=0)
    Breaker.objects.update(next_probe_at=timezone.now())
    recovery.run_once()
    assert len(claimed()) == 1


def test_a_call_under_way_when_it_opened_burns_no_attempt() -> None:
    ids = reserved(10)

    def shut_meanwhile(batch: Collection[int]) -> Outcome:
        opened()
        return away(batch)

    run_charge(ids, shut_meanwhile)
    assert failures() == {0}
    assert Order.objects.filter(due_at=Breaker.objects.get().parked_until).count() == 10


def test_an_answer_of_an_earlier_generation_closes_nothing() -> None:
    [order_id] = reserved(1)
    Breaker.objects.create(provider=Provider.PAYMENTS, failures=1)

    def half_open_meanwhile(batch: Collection[int]) -> Outcome:
        Breaker.objects.update(state=State.HALF_OPEN, generation=2, permits=1, next_probe_at=timezone.now())
        return Outcome(list(batch), [])

    run_charge([order_id], half_open_meanwhile)
    assert Breaker.objects.get().state == State.HALF_OPEN


def test_what_is_said_of_one_order_does_not_open_it() -> None:
    ids = reserved(30)
    for order_id in ids:
        in_use = Outcome([], [Failure(order_id, NotNow("the key is in use"), 1)])
        run_charge([order_id], lambda _, outcome=in_use: outcome)  # type: ignore[misc]
    assert not Breaker.objects.exclude(state=State.CLOSED).exists()


def overlapping_permits() -> int:
    """How many pass of two who ask for the one permit, the second while the first has not committed."""
    Breaker.objects.create(provider=Provider.PAYMENTS, state=State.HALF_OPEN, generation=2, permits=1)
    taken = threading.Event()

    def ask(number: int) -> int:
        if number:
            taken.wait(30)
            return len(admission.admit(Step.CHARGE, [2]).let_through)
        with transaction.atomic():
            mine = len(admission.admit(Step.CHARGE, [1]).let_through)
            taken.set()
            wait_for(lambda: waiting() or None, "the second to wait")
        return mine

    answers = at_once(ask, 2)
    return sum(answer for answer in answers if isinstance(answer, int))


def waiting() -> int:
    """How many connections to our database wait for a row at this moment."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
        )
        return int(cursor.fetchone()[0])


def test_one_permit_lets_one_through() -> None:
    assert overlapping_permits() == 1


def test_without_its_lock_it_lets_two_through(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(admission, "_TAKE_PERMITS", admission._TAKE_PERMITS.replace("FOR NO KEY UPDATE", ""))
    assert overlapping_permits() == 2


def parked_while_it_closes() -> bool:
    """One parks an order and is held up; meanwhile the breaker closes and wakes everybody. Whether the order is due."""
    order_id = reserved(1)[0]
    breaker = opened()
    held, release = threading.Event(), threading.Event()

    def hold() -> None:
        with transaction.atomic():
            Order.objects.select_for_update().get(pk=order_id)
            held.set()
            release.wait(30)

    def close() -> None:
        Breaker.objects.filter(pk=breaker.pk).update(state=State.CLOSED, generation=2)
        recovery.run_once()

    def in_thread(work: Callable[[], None]) -> None:
        try:
            work()
        finally:
            connection.close()

    with ThreadPoolExecutor(3) as pool:
        holding = pool.submit(in_thread, hold)
        held.wait(30)
        parking = pool.submit(in_thread, lambda: park(Step.CHARGE, [order_id]))
        wait_for(lambda: waiting() or None, "the one who parks to be held up")
        opening = pool.submit(in_thread, close)
        wait_for(lambda: opening.done() or waiting() == 2 or None, "the breaker to close, or to wait")
        release.set()
        for one in (holding, parking, opening):
            one.result(30)
    return order_id in due()


def test_no_order_is_parked_at_a_breaker_that_has_just_closed() -> None:
    assert parked_while_it_closes()


def test_without_the_share_lock_somebody_is(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(admission, "_PARKED_UNTIL", admission._PARKED_UNTIL.replace("FOR SHARE", ""))
    assert not parked_while_it_closes()


def test_a_side_dish_that_waits_holds_up_neither_a_retry_nor_a_cancellation() -> None:
    retried, cancelled = reserved(2)
    opened(Provider.SMS)
    soon = timezone.now() + timedelta(seconds=3)
    scheduling.schedule({retried: soon})
    scheduling.make_due([cancelled])
    perform(send_sms, Step.SMS, lambda _: Outcome([], []), [retried, cancelled])
    assert Order.objects.get(pk=retried).due_at == soon
    assert due() == [cancelled]


def test_a_side_dish_is_given_up_when_its_server_is_away_for_too_long(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """It was never tried: its letter says so, and the order goes on without it."""
    [order_id] = reserved(1)
    Order.objects.update(status="paid")
    opened(Provider.MAIL)
    park(Step.EMAIL, [order_id])
    assert not DeadLetter.objects.exists()
    spec = STEPS[Step.EMAIL]
    monkeypatch.setitem(STEPS, Step.EMAIL, replace(spec, retry=replace(spec.retry, deadline=timedelta(0))))
    perform(send_email, Step.EMAIL, email.mail, [order_id])
    letter = DeadLetter.objects.get()
    assert not letter.stops_order
    assert letter.message.startswith("Mail server away")
    assert Notification.objects.get().status == Notification.Status.FAILED
    assert due() == [order_id]


def test_who_failed_alone_while_the_provider_was_going_comes_back_in_company() -> None:
    [order_id] = reserved(1)
    opened()
    Order.objects.update(alone=True)
    park(Step.CHARGE, [order_id])
    assert not Order.objects.get().alone


@pytest.mark.parametrize("step", [Step.EMAIL, Step.SMS, Step.SHIP], ids=str)
def test_every_provider_has_a_breaker(step: Step) -> None:
    """It opens for good reason, and failures after that are not counted."""
    work, url = {
        Step.EMAIL: (email.mail, settings.MAILBOX_URL),
        Step.SMS: (sms.text, settings.SMS_URL),
        Step.SHIP: (booking.book, settings.CARRIER_URL),
    }[step]

    def count() -> int:
        row = Shipment.objects.get() if step == Step.SHIP else Notification.objects.get()
        return row.failures

    [order_id] = reserved(1)
    Order.objects.update(status=OrderStatus.PAID)
    set_down(url, True)
    try:
        counts = []
        for _ in range(2):
            perform(charge, step, work, [order_id])
            counts.append(count())
        assert counts == [1, 2]
        Breaker.objects.update(failures=FAILURES_IN_A_ROW - 1)
        perform(charge, step, work, [order_id])
        assert (Breaker.objects.get().state, count()) == (State.OPEN, 3)
        perform(charge, step, work, [order_id])
        Breaker.objects.update(state=State.HALF_OPEN, permits=1)
        Order.objects.update(attempts=1)
        perform(charge, step, work, [order_id])
        assert (Breaker.objects.get().failed_probes, count()) == (1, 3)
    finally:
        set_down(url, False)
    assert Order.objects.get().due_at == Breaker.objects.get().parked_until


def test_orders_that_nobody_woke_look_for_themselves() -> None:
    ids = reserved(3)
    breaker = opened()
    park(Step.CHARGE, ids)
    upon_them = timezone.now() + timedelta(milliseconds=500)
    Order.objects.update(due_at=upon_them)
    Breaker.objects.update(parked_until=upon_them)
    recovery.run_once()
    breaker.refresh_from_db()
    assert breaker.parked_until
    assert breaker.parked_until > upon_them
    wait_for(lambda: due() or None, "their time")
    park(Step.CHARGE, claimed())
    assert set(Order.objects.values_list("due_at", flat=True)) == {breaker.parked_until}


def test_people_see_how_the_breakers_stand(capsys: pytest.CaptureFixture[str]) -> None:
    ids = reserved(2)
    opened()
    park(Step.CHARGE, ids)
    call_command("breakers")
    said = capsys.readouterr().out
    assert "Payment provider" in said
    assert "open" in said
    call_command("breakers", "--json")
    payments, *others = json.loads(capsys.readouterr().out)
    assert (payments["provider"], payments["state"], payments["parked"]) == ("payments", "open", 2)
    assert {other["state"] for other in others} == {"closed"}
    order = Order.objects.get(pk=ids[0])
    parked = status.parked_for(order.due_at)
    assert parked
    assert parked.provider == Provider.PAYMENTS
