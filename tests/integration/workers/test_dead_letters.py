"""What a dead letter tells, and what becomes of it: replayed or discarded, and no order is lost with it."""

import pytest
from django.core.management import call_command

from orders import inventory
from orders.models import Document, Order, Shipment
from orders.providers.failures import Failure, Outcome, Refused, Transient
from orders.states import OrderStatus
from orders.workflow import Step
from tests.making import at_once, place_order, stock
from workers import deadletters
from workers.audit.books import prove
from workers.deadletters.choosing import Choice, attempts, groups, open_letters
from workers.deadletters.discarding import discard
from workers.models import DeadLetter, DeadLetterAction
from workers.steps import perform
from workers.tasks import STEP_TASKS

reserve = STEP_TASKS[Step.RESERVE]

pytestmark = pytest.mark.django_db(transaction=True)
LETTERS = DeadLetter.objects


def bury(step: Step = Step.RESERVE, why: str = "boom", order: Order | None = None) -> DeadLetter:
    order = order or place_order()
    deadletters.bury(step, {order.pk: RuntimeError(why)})
    return LETTERS.filter(order=order).latest("id")


def forgotten() -> list[str]:
    """What the audit says about orders that are forgotten."""
    [check] = [one for one in prove(with_ledgers=False).results if one.check.name == "accounted"]
    return list(check.problems)


def test_a_letter_says_which_code_gave_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("workers.deadletters.burying.CODE_VERSION", "v1.2-3-gabc")
    assert bury().code_version == "v1.2-3-gabc"


def test_its_attempts_are_told_with_their_times() -> None:
    order = place_order()
    for error in (Transient("busy"), Transient("away"), Refused("400 no")):
        outcome = Outcome([], [Failure(order.pk, error, 1)])
        perform(reserve, Step.INVOICE, lambda _, outcome=outcome: outcome, [order.pk])  # type: ignore[misc]
    letter = LETTERS.get()
    told = list(attempts(letter))
    assert [attempt.message for attempt in told] == ["busy", "away"]
    assert told[0].at < told[1].at < letter.created_at


def test_a_second_letter_begins_its_attempts_anew() -> None:
    order = place_order()
    for said in ("busy", "busy again"):
        outcome = Outcome([], [Failure(order.pk, Transient(said), 1)])
        perform(reserve, Step.INVOICE, lambda _, outcome=outcome: outcome, [order.pk])  # type: ignore[misc]
        bury(Step.INVOICE, order=order)
    assert [attempt.message for attempt in attempts(LETTERS.latest("id"))] == ["busy again"]


def test_a_batch_that_broke_is_an_attempt_of_each() -> None:
    orders = [place_order(), place_order()]

    def broken(_: object) -> list[int]:
        raise RuntimeError("boom")

    perform(reserve, Step.RESERVE, broken, [order.pk for order in orders])
    perform(reserve, Step.RESERVE, broken, [orders[0].pk])
    assert [attempt.error_class for attempt in attempts(LETTERS.get())] == ["builtins.RuntimeError"]


def test_the_history_says_who_did_what_and_why() -> None:
    letter = bury()
    deadletters.replay(LETTERS.all(), "ada", why="the index is there now")
    action = DeadLetterAction.objects.get()
    assert (action.letter, action.kind, action.by, action.why) == (
        letter,
        "replayed",
        "ada",
        "the index is there now",
    )
    letter.refresh_from_db()
    assert letter.resolution == "replayed by ada: the index is there now"


def test_one_replay_takes_up_all_letters_that_stop_the_order() -> None:
    letter = bury()
    other = bury(Step.SHIP, order=letter.order)
    assert deadletters.replay(LETTERS.filter(pk=letter.pk), "ada") == 1
    other.refresh_from_db()
    assert other.resolved_at is not None


def test_what_nothing_waits_for_is_discarded() -> None:
    letter = bury(Step.SMS)
    result = discard(LETTERS.all(), "ada", "the number is a landline")
    assert (result.letters, result.kept) == (1, [])
    letter.refresh_from_db()
    assert letter.resolution == "discarded by ada: the number is a landline"
    assert not forgotten()


@pytest.mark.parametrize("why", ["", "  "])
def test_discarding_needs_a_reason(why: str) -> None:
    bury(Step.SMS)
    with pytest.raises(ValueError, match="needs a reason"):
        discard(LETTERS.all(), "ada", why)
    assert open_letters().exists()


def test_a_letter_that_holds_up_its_order_is_not_thrown_away_alone() -> None:
    letter = bury()
    result = discard(LETTERS.all(), "ada", "no idea")
    assert result.letters == 0
    assert letter.about in result.kept[0]
    assert open_letters().exists()
    assert not forgotten()


def test_it_goes_together_with_its_order() -> None:
    stock(KETTLE=1)
    order = place_order()
    inventory.reserve([order.pk])
    bury(Step.CHARGE, order=order)
    result = discard(LETTERS.all(), "ada", "the customer rang", cancel_orders=True)
    assert (result.letters, result.cancelled, result.kept) == (1, [order.number], [])
    order.refresh_from_db()
    assert order.status == OrderStatus.CANCELLED
    assert order.due_at is not None  # its stock goes back
    assert not forgotten()
    assert discard(LETTERS.all(), "ada", "again", cancel_orders=True).letters == 0


@pytest.mark.parametrize("status", [OrderStatus.CANCELLED, OrderStatus.PAYMENT_DECLINED, OrderStatus.PAID])
def test_what_can_no_longer_be_cancelled_keeps_its_letter(status: OrderStatus) -> None:
    """Its money or its stock is still to be given back, or it is with the carrier: somebody must see to that."""
    order = place_order()
    Order.objects.filter(pk=order.pk).update(status=status)
    if status == OrderStatus.PAID:
        Shipment.objects.create(order=order)
    bury(Step.REFUND, order=order)
    result = discard(LETTERS.all(), "ada", "no", cancel_orders=True)
    assert result.letters == 0
    assert "replay" in result.kept[0]
    assert open_letters().exists()


def test_what_goes_on_anyway_does_not_hold_its_letter() -> None:
    """Somebody has made the order due by hand."""
    letter = bury()
    Order.objects.update(due_at="2030-01-01T00:00Z")
    assert discard(LETTERS.filter(pk=letter.pk), "ada", "done by hand").letters == 1


def test_replay_and_discard_at_once_are_one_of_the_two() -> None:
    order = place_order()
    bury(order=order)

    def either(number: int) -> int:
        if number % 2:
            return deadletters.replay(LETTERS.all(), "ada")
        return discard(LETTERS.all(), "grace", "no", cancel_orders=True).letters

    assert sorted(map(str, at_once(either, 4))) == ["0", "0", "0", "1"]
    assert DeadLetterAction.objects.count() == 1


def test_letters_are_chosen_by_group_task_error_order_and_time() -> None:
    ship, charge = bury(Step.SHIP, "no street"), bury(Step.CHARGE, "no card")
    for choice in (
        Choice(group=ship.fingerprint[:8]),
        Choice(task="shipping.book"),
        Choice(order=ship.order_id),
        Choice(until=charge.created_at),
        Choice(letters=[ship.pk]),
        Choice(error="RuntimeError", task="shipping.book"),
    ):
        assert list(choice.among(open_letters())) == [ship], str(choice)
    assert list(Choice(since=charge.created_at).among(open_letters())) == [charge]
    assert str(Choice()) == "every open letter"


def test_groups_tell_how_many_since_when_and_an_example() -> None:
    first, _, last = bury(), bury(), bury()
    [group] = groups(open_letters())
    assert (group.count, group.sample, group.message) == (3, last.pk, "boom")
    assert (group.first, group.last) == (first.created_at, last.created_at)


def test_a_printing_that_was_given_up_is_replayed() -> None:
    order = place_order()
    document = Document.objects.create(order=order, kind="invoice", serial=1, seller="Us")
    deadletters.bury_documents({order.pk: RuntimeError("no font")})
    document.refresh_from_db()
    assert document.due_at is None
    assert not LETTERS.get().stops_order
    assert deadletters.replay(LETTERS.all(), "ada") == 1
    document.refresh_from_db()
    assert document.due_at is not None


def test_a_message_without_an_order_is_not_replayed_but_discarded() -> None:
    deadletters.bury_message("sms.sing", "sms", "[[17]]\0", LookupError("no such task"))
    assert deadletters.replay(LETTERS.all(), "ada") == 0
    assert open_letters().exists()
    assert discard(LETTERS.all(), "ada", "an old worker").letters == 1


NOT_FOR_POSTGRES = "\0 and \udcff are no text"


def test_what_postgresql_refuses_does_not_hide_that_something_failed() -> None:
    bury(Step.RESERVE, NOT_FOR_POSTGRES)
    deadletters.note_attempts(Step.SHIP, {LETTERS.get().order_id or 0: RuntimeError(NOT_FOR_POSTGRES)})
    deadletters.bury_message("x" * 300 + "\0", "q" * 300, NOT_FOR_POSTGRES, ValueError(NOT_FOR_POSTGRES))
    assert [letter.message[1:] for letter in LETTERS.all()] == [" and ? are no text"] * 2


def test_migrations_are_complete() -> None:
    call_command("makemigrations", "workers", check=True, dry_run=True)
