"""`manage.py deadletters`: for people as tables, for programs as JSON; nothing is changed that was not named."""

import json
from io import StringIO
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from orders.models import Order
from orders.workflow import Step
from tests.making import kinds, place_order, stock
from workers import deadletters
from workers.deadletters import canary
from workers.deadletters.choosing import open_letters
from workers.models import DeadLetter, DeadLetterAction, Replay

pytestmark = pytest.mark.django_db(transaction=True)


def run(*arguments: object) -> str:
    out = StringIO()
    call_command("deadletters", *map(str, arguments), stdout=out)
    return out.getvalue()


def told(*arguments: object) -> Any:
    return json.loads(run(*arguments, "--json"))


def bury(step: Step = Step.RESERVE, why: str = "no rate for GBP") -> DeadLetter:
    order = place_order()
    try:
        raise LookupError(why)
    except LookupError as error:
        deadletters.bury(step, {order.pk: error})
    return DeadLetter.objects.latest("id")


def test_the_list_shows_what_is_open_newest_first() -> None:
    first, second = bury(), bury()
    assert [letter["letter"] for letter in told("list")] == [second.pk, first.pk]
    shown = run("list")
    assert first.about in shown
    assert "LookupError" in shown
    deadletters.replay(DeadLetter.objects.filter(pk=first.pk), "ada")
    assert [letter["letter"] for letter in told("list")] == [second.pk]
    assert len(told("list", "--resolved")) == 2


@pytest.mark.parametrize(
    "filters", [["--task", "shipping.book"], ["--error", "lookuperror"], ["--since", "1h"]]
)
def test_it_can_be_narrowed_down(filters: list[str]) -> None:
    letter = bury(Step.SHIP)
    assert [one["letter"] for one in told("list", *filters)] == [letter.pk]
    assert told("list", "--until", "1h") == []
    assert told("list", "--order", letter.about)[0]["order"] == letter.about


def test_a_list_that_was_cut_says_so() -> None:
    bury()
    bury()
    said = StringIO()
    call_command("deadletters", "list", "--limit", "1", stdout=StringIO(), stderr=said)
    assert said.getvalue().strip() == "These are 1 of 2; --limit shows more."
    said = StringIO()
    call_command("deadletters", "list", "--limit", "2", stdout=StringIO(), stderr=said)
    assert said.getvalue() == ""


def test_groups_are_one_line_a_bug() -> None:
    for _ in range(3):
        bury()
    other = bury(why="no rate for EUR")
    assert [group["count"] for group in told("groups")] == [3, 1]
    assert "no rate for EUR" in run("groups")
    assert told("list", "--group", other.fingerprint[:6])[0]["letter"] == other.pk


def test_one_is_shown_with_its_tries_its_history_and_its_traceback() -> None:
    letter = bury()
    deadletters.note_attempts(Step.RESERVE, {letter.order_id or 0: RuntimeError("too early")})
    deadletters.replay(DeadLetter.objects.all(), "ada", why="mended")
    shown = run("show", letter.pk)
    for words in (letter.about, "no rate for GBP", "Traceback (most recent call last)", "ada", "mended"):
        assert words in shown
    whole = told("show", letter.pk)
    assert [action["why"] for action in whole["history"]] == ["mended"]
    assert whole["version"]


def test_replaying_needs_to_be_told_what() -> None:
    bury()
    with pytest.raises(CommandError, match="Which letters"):
        run("replay")
    assert open_letters().count() == 1


def test_replaying_one_by_its_number() -> None:
    letter, other = bury(), bury()
    assert "Replayed 1" in run("replay", letter.pk, "--by", "ada", "--why", "mended")
    assert list(open_letters()) == [other]
    action = DeadLetterAction.objects.get()
    assert (action.by, action.why) == ("ada", "mended")
    assert "nothing to replay" in run("replay", letter.pk)


def test_a_canary_is_begun_followed_and_stopped() -> None:
    letters = [bury() for _ in range(3)]
    assert "3" in run("canary", "--group", letters[0].fingerprint, "--rate", "5", "--by", "ada")
    replay = Replay.objects.get()
    assert (replay.rate, replay.fingerprint, replay.by) == (5, letters[0].fingerprint, "ada")
    assert "running replay" in run("canary", "--all")
    canary.advance_one()
    assert [(one["state"], one["replayed"], one["total"]) for one in told("replays")] == [("canary", 1, 3)]
    assert "Stopped" in run("stop", replay.pk)
    assert "ended already" in run("stop", replay.pk)
    with pytest.raises(CommandError, match="no replay 99"):
        run("stop", 99)


def test_a_canary_that_fails_is_waited_for_and_told() -> None:
    letter = bury()
    replay = canary.begin(open_letters(), chosen="all", by="ada")
    assert replay
    canary.advance_one()
    bury_again(letter)
    Replay.objects.update(due_at="2020-01-01T00:00Z")
    canary.advance_one()
    shown = run("replays")
    assert "Halted" in shown
    assert f"{letter.about} failed again" in shown


def bury_again(letter: DeadLetter) -> None:
    deadletters.bury(Step.RESERVE, {letter.order_id or 0: LookupError("still no rate")})


def test_a_rate_that_makes_no_sense_is_refused() -> None:
    bury()
    with pytest.raises(CommandError, match="letters a second"):
        run("canary", "--all", "--rate", "0")


def test_a_dry_run_tells_what_would_happen() -> None:
    stock(KETTLE=1)
    letter = bury()
    shown = run("dry-run", letter.pk)
    assert "status from placed to reserved" in shown
    assert "It would succeed" in shown
    assert Order.objects.get().status == "placed"
    assert told("dry-run", letter.pk)["verdict"].startswith("It would succeed")


def test_discarding_needs_a_reason_and_keeps_what_holds_up_an_order() -> None:
    side, stopping = bury(Step.SMS), bury()
    with pytest.raises(CommandError, match="needs a reason"):
        run("discard", side.pk)
    with pytest.raises(SystemExit):
        run("discard", "--all", "--why", "no use")
    assert list(open_letters()) == [stopping]
    said = told("discard", stopping.pk, "--why", "the customer rang", "--cancel-orders")
    assert said == {"letters": 1, "cancelled": [stopping.about], "kept": []}
    assert kinds(Order.objects.get(dead_letters=stopping))[-1] == "order.cancelled"


def test_a_note_is_kept() -> None:
    letter = bury()
    with pytest.raises(CommandError, match="needs words"):
        run("note", letter.pk)
    assert told("note", letter.pk, "--why", "asked the bank", "--by", "ada") == {"noted": 1}
    assert "asked the bank" in run("show", letter.pk)
    assert open_letters().exists()


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["list", "--since", "yesterday"], "yesterday is no time"),
        (["list", "--since", "2026-13-01"], "must be in"),
        (["list", "--order", "S-999999999"], "there is no order"),
        (["show", "99"], "no dead letter 99"),
        (["list", "--limit", "0"], "is not a number from 1"),
        (["replays", "--limit", "many"], "is not a number from 1"),
        (["note", "1", "--why", "w" * 301], "it has 301 characters"),
    ],
)
def test_a_mistake_is_told(arguments: list[str], said: str) -> None:
    with pytest.raises(CommandError, match=said):
        run(*arguments)
