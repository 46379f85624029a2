"""Replaying many: one first, the rest at a chosen rate, halting by itself when one fails again."""

import threading
from collections.abc import Callable, Iterator
from datetime import timedelta

import pytest
from django.db import connection
from django.db.models import QuerySet
from django.utils import timezone

from orders import inventory
from orders.models import Order, OrderEvent, StockItem
from orders.workflow import Step
from tests.making import at_once, kinds, place_order, stock
from workers import deadletters
from workers.deadletters import canary, replaying
from workers.deadletters.choosing import groups, open_letters
from workers.models import DeadLetter, DeadLetterAction, Replay
from workers.steps import perform
from workers.tasks import STEP_TASKS

reserve = STEP_TASKS[Step.RESERVE]

pytestmark = pytest.mark.django_db(transaction=True)


def work() -> int:
    """What relay and workers do with each order that is due and still unreserved, one by one; returns how many."""
    due = Order.objects.filter(due_at__lte=timezone.now(), status="placed").order_by("id")
    ids = list(due.values_list("pk", flat=True))
    for order_id in ids:
        perform(reserve, Step.RESERVE, lambda batch: inventory.reserve(batch).done, [order_id])
    return len(ids)


def round_of(replay: Replay) -> Replay:
    """One round of the relay, now and not when it is due."""
    Replay.objects.filter(pk=replay.pk, due_at__isnull=False).update(due_at=timezone.now())
    canary.advance_one()
    replay.refresh_from_db()
    return replay


def to_the_end(replay: Replay) -> Replay:
    for _ in range(200):
        if round_of(replay).due_at is None:
            return replay
        work()
    pytest.fail("the replay never ended")


@pytest.fixture
def bugs() -> Iterator[None]:
    """Two bugs in the data of the shop: a column too small for a large stock, and a trigger that refuses a SKU."""
    stock(KETTLE=10_000, TEAPOT=10_000)
    with connection.cursor() as cursor:
        cursor.execute(
            "ALTER TABLE orders_stockitem ADD CONSTRAINT too_narrow CHECK (sku <> 'KETTLE' OR reserved = 0);"
            "CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS "
            "$$ BEGIN RAISE EXCEPTION 'no rate for order %, ask finance', NEW.reserved; END $$;"
            "CREATE TRIGGER refuse BEFORE UPDATE ON orders_stockitem FOR EACH ROW "
            "WHEN (NEW.sku = 'TEAPOT') EXECUTE FUNCTION refuse()"
        )
    yield
    mend()
    with connection.cursor() as cursor:
        cursor.execute("DROP FUNCTION refuse CASCADE")


def mend() -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            "ALTER TABLE orders_stockitem DROP CONSTRAINT IF EXISTS too_narrow;"
            "DROP TRIGGER IF EXISTS refuse ON orders_stockitem"
        )


def broken(count: int, sku: str = "KETTLE") -> list[Order]:
    orders = [place_order([(sku, 1)]) for _ in range(count)]
    work()
    return orders


def begin(letters: QuerySet[DeadLetter] | None = None, rate: float = 1_000) -> Replay:
    begun = canary.begin(letters or open_letters(), chosen="all", by="ada", rate=rate)
    assert begun
    return begun


def books() -> tuple[int, ...]:
    """What must not change when nothing is to be done."""
    reserved = sum(StockItem.objects.values_list("reserved", flat=True))
    return OrderEvent.objects.count(), DeadLetter.objects.count(), DeadLetterAction.objects.count(), reserved


@pytest.mark.usefixtures("bugs")
def test_two_bugs_are_two_groups_and_once_mended_all_of_them_go_on() -> None:
    """Five hundred orders broken by one bug and twenty by another, as a person at the admin lives through it."""
    broken(500)
    broken(20, "TEAPOT")
    many, few = groups(open_letters())
    assert (many.count, few.count) == (500, 20)
    assert "too_narrow" in many.message
    assert "ask finance" in few.message

    group = open_letters().filter(fingerprint=many.fingerprint)
    halted = to_the_end(begin(group))
    assert (halted.state, halted.replayed, halted.failed_again) == ("halted", 1, 1)
    assert "too_narrow" in halted.said
    assert group.count() == 500  # 499 that were never tried, and the canary's new one

    mend()
    done = to_the_end(begin(group))
    assert (done.state, done.replayed, done.failed_again) == ("done", 500, 0)
    assert [found.count for found in groups(open_letters())] == [20]
    assert StockItem.objects.get(sku="KETTLE").reserved == 500

    before = books()
    everything = DeadLetter.objects.filter(fingerprint=many.fingerprint)
    assert deadletters.replay(everything, "ada") == 0
    assert canary.begin(everything, chosen="again", by="ada") is None
    assert work() == 0
    assert books() == before

    to_the_end(begin())
    assert not open_letters().exists()
    assert Order.objects.filter(status="reserved").count() == 520


@pytest.mark.usefixtures("bugs")
def test_the_rest_waits_for_the_canary() -> None:
    broken(3)
    mend()
    replay = begin()
    for _ in range(3):  # no worker has had the canary's order yet
        assert (round_of(replay).state, replay.replayed) == ("canary", 1)
    work()
    assert round_of(replay).state == "rolling"


@pytest.mark.usefixtures("bugs")
def test_one_of_the_rest_that_fails_again_halts_the_replay() -> None:
    broken(1)
    broken(10, "TEAPOT")
    with connection.cursor() as cursor:
        cursor.execute("ALTER TABLE orders_stockitem DROP CONSTRAINT too_narrow")
    replay = to_the_end(begin(rate=1))
    assert (replay.state, replay.replayed, replay.failed_again) == ("halted", 2, 1)
    assert open_letters().count() == 10


@pytest.mark.usefixtures("bugs")
def test_the_rate_is_kept() -> None:
    broken(30)
    mend()
    replay = begin(rate=20)
    round_of(replay)
    work()
    before = timezone.now()
    assert round_of(replay).replayed == 11  # ten letters in the half second of a turn
    assert replay.due_at
    assert replay.due_at >= before + timedelta(seconds=0.5)
    slow = canary.begin(broken_again(), chosen="slow", by="ada", rate=0.1)
    assert slow
    before = timezone.now()
    round_of(slow)
    assert slow.due_at
    assert slow.due_at >= before + timedelta(seconds=10)


def broken_again() -> QuerySet[DeadLetter]:
    order = place_order()
    deadletters.bury(Step.RESERVE, {order.pk: RuntimeError("other")})
    return DeadLetter.objects.filter(order=order)


@pytest.mark.usefixtures("bugs")
def test_a_replay_can_be_stopped_and_the_rest_stays_open() -> None:
    broken(5)
    mend()
    replay = begin()
    round_of(replay)
    assert canary.stop(replay.pk, "grace")
    assert not canary.stop(replay.pk, "grace")
    work()
    assert not canary.advance_one()
    replay.refresh_from_db()
    assert (replay.state, replay.said) == ("stopped", "stopped by grace")
    assert open_letters().count() == 4
    assert begin().total == 4


@pytest.mark.parametrize("rate", [0, -1, 1_001, float("nan"), float("inf")])
def test_a_rate_that_makes_no_sense_is_refused(rate: float) -> None:
    with pytest.raises(ValueError, match="letters a second"):
        canary.begin(open_letters(), chosen="all", by="ada", rate=rate)


def replay_all(_: int) -> int:
    return deadletters.replay(DeadLetter.objects.all(), "ada")


def begin_all(_: int) -> int:
    begun = canary.begin(DeadLetter.objects.all(), chosen="all", by="ada")
    return begun.total if begun else 0


@pytest.mark.parametrize("click", [replay_all, begin_all])
def test_two_clicks_at_once_are_one(click: Callable[[int], int]) -> None:
    orders = buried(20)
    assert sorted(map(str, at_once(click, 4))) == ["0", "0", "0", "20"]
    if click is replay_all:
        assert {kinds(order).count("order.replayed") for order in orders} == {1}
    else:
        assert Replay.objects.count() == 1


def test_without_the_lock_two_clicks_are_two(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(QuerySet, "select_for_update", lambda self, **_: self)
    monkeypatch.setattr(replaying, "resolve", after_all_have_read(4, replaying.resolve))
    buried(20)
    assert at_once(replay_all, 4) == [20, 20, 20, 20]


def after_all_have_read(count: int, work: Callable[..., None]) -> Callable[..., None]:
    """`work`, but not before so many have come to it."""
    all_here = threading.Barrier(count)

    def wait_and_work(*args: object, **kwargs: object) -> None:
        all_here.wait(timeout=30)
        work(*args, **kwargs)

    return wait_and_work


def buried(count: int) -> list[Order]:
    orders = [place_order() for _ in range(count)]
    deadletters.bury(Step.RESERVE, {order.pk: RuntimeError("boom") for order in orders})
    return orders


def test_two_relays_never_advance_the_same_replay() -> None:
    buried(10)
    replay = begin()
    assert set(at_once(lambda _: canary.advance_one(), 2)) == {False, True}
    replay.refresh_from_db()
    assert replay.replayed == 1


def test_without_the_lock_they_do(monkeypatch: pytest.MonkeyPatch) -> None:
    real = QuerySet.select_for_update
    monkeypatch.setattr(
        QuerySet, "select_for_update", lambda self, **how: self if self.model is Replay else real(self, **how)
    )
    monkeypatch.setattr(canary, "_advance", after_all_have_read(2, canary._advance))
    buried(10)
    begin()
    # Both take the canary's turn; which of them writes last, and so what is known of the canary then, is chance.
    assert at_once(lambda _: canary.advance_one(), 2) == [True, True]


def test_a_letter_resolved_meanwhile_is_left_out() -> None:
    orders = buried(3)
    replay = begin()
    deadletters.replay(DeadLetter.objects.filter(order=orders[0]), "grace")
    round_of(replay)
    assert kinds(orders[0]).count("order.replayed") == 1
    assert kinds(orders[1]).count("order.replayed") == 1
    assert kinds(orders[2]).count("order.replayed") == 0
