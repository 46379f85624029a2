"""Dead letters in the admin: by failure and singly; replayed, tried by a canary or discarded by a confirmed POST."""

import pytest
from django.contrib.admin.helpers import ACTION_CHECKBOX_NAME
from django.test import Client
from django.urls import reverse

from orders.models import Order
from orders.workflow import Step
from tests.making import kinds, place_order
from workers import deadletters
from workers.deadletters import canary
from workers.models import DeadLetter, DeadLetterAction, Replay

pytestmark = pytest.mark.django_db
LIST = "/admin/workers/deadletter/"
GROUPS = "/admin/workers/deadletter/groups/"
ACTIONS = ("replay", "canary", "discard")


def bury(step: Step = Step.SHIP, why: str = "carrier is away") -> DeadLetter:
    order = place_order()
    try:
        raise ConnectionError(why)
    except ConnectionError as error:
        deadletters.bury(step, {order.pk: error})
    return DeadLetter.objects.get(order=order)


def do(letter: DeadLetter, action: str) -> str:
    return reverse("admin:workers_deadletter_act", args=[letter.pk, action])


def do_all(letter: DeadLetter, action: str) -> str:
    return reverse("admin:workers_deadletter_group_act", args=[letter.fingerprint, action])


def text(client: Client, address: str, **query: str) -> str:
    response = client.get(address, query)
    assert response.status_code == 200
    return response.content.decode()


def test_the_list_begins_with_what_is_open(operator: Client) -> None:
    letter, resolved = bury(), bury()
    deadletters.replay(DeadLetter.objects.filter(pk=resolved.pk), by="ada")
    page = text(operator, LIST)
    assert letter.about in page
    assert resolved.about not in page
    assert resolved.about in text(operator, LIST, state="resolved")
    both = text(operator, LIST, state="all")
    assert letter.about in both
    assert resolved.about in both


def test_letters_are_found_by_order_and_by_failure(operator: Client) -> None:
    ship, charge = bury(), bury(Step.CHARGE, "provider is away")
    for query in ({"q": ship.about}, {"q": "carrier"}, {"fingerprint": ship.fingerprint}):
        page = text(operator, LIST, **query)
        assert ship.about in page
        assert charge.about not in page


def test_the_first_page_has_one_entry_a_failure(operator: Client) -> None:
    for _ in range(3):
        bury()
    charge = bury(Step.CHARGE, "provider is away")
    page = text(operator, GROUPS)
    assert "4 letters wait for a person, of 2 kinds" in page
    assert page.count("Look into it") == 2
    assert do_all(charge, "canary") in page
    assert "provider is away" in page


def test_without_letters_it_says_so(operator: Client) -> None:
    assert "Nothing waits for a person" in text(operator, GROUPS)


def test_a_failures_page_shows_its_letters_and_a_traceback(operator: Client) -> None:
    letters = [bury(why="<b>carrier</b> is away") for _ in range(2)]
    address = reverse("admin:workers_deadletter_group", args=[letters[0].fingerprint])
    page = text(operator, address)
    for letter in letters:
        assert letter.about in page
    assert "&lt;b&gt;carrier&lt;/b&gt; is away" in page
    assert "Traceback (most recent call last)" in page
    deadletters.replay(DeadLetter.objects.all(), by="ada")
    page = text(operator, address)
    assert "All of them are resolved" in page
    assert do_all(letters[0], "replay") not in page
    assert operator.get(reverse("admin:workers_deadletter_group", args=["f00"])).status_code == 404


def test_a_letters_page_has_its_order_beside_it(operator: Client) -> None:
    letter = bury(why="<b>carrier</b> is away")
    deadletters.note_attempts(Step.SHIP, {letter.order_id or 0: TimeoutError("an earlier try")})
    page = text(operator, reverse("admin:workers_deadletter_change", args=[letter.pk]))
    for words in (letter.about, "Ada Lovelace", "£12.50", "inventory.reserve", "Needs a person"):
        assert words in page
    assert "&lt;b&gt;carrier&lt;/b&gt; is away" in page
    assert "Traceback (most recent call last)" in page


def test_a_letter_about_no_order_has_a_page_too(operator: Client) -> None:
    deadletters.bury_message("sms.sing", "sms", "<rubbish>", LookupError("no such task"))
    letter = DeadLetter.objects.get()
    page = text(operator, reverse("admin:workers_deadletter_change", args=[letter.pk]))
    assert "&lt;rubbish&gt;" in page
    assert do(letter, "discard") in page
    assert do(letter, "replay") not in page
    assert "A message in the queue sms" in text(operator, LIST)
    assert "sms.sing" in text(operator, GROUPS)


def test_one_is_replayed_by_post(operator: Client) -> None:
    letter = bury()
    assert "Repair what made them fail" in text(operator, do(letter, "replay"))
    assert DeadLetter.objects.get().resolved_at is None
    assert operator.post(do(letter, "replay"), {"why": "the carrier is back"}).status_code == 302
    letter.refresh_from_db()
    assert letter.resolution == "replayed by admin: the carrier is back"
    assert Order.objects.get().due_at is not None
    assert kinds(Order.objects.get())[-1] == "order.replayed"
    assert "resolved this already" in operator.post(do(letter, "replay"), follow=True).content.decode()
    page = text(operator, reverse("admin:workers_deadletter_change", args=[letter.pk]))
    assert "the carrier is back" in page
    assert do(letter, "replay") not in page


def test_a_group_is_replayed_by_post(operator: Client) -> None:
    letters, other = [bury() for _ in range(3)], bury(Step.CHARGE, "provider is away")
    assert "Replay 3 letters" in text(operator, do_all(letters[0], "replay"))
    operator.post(do_all(letters[0], "replay"), {})
    assert list(DeadLetter.objects.filter(resolved_at=None)) == [other]


def test_a_canary_is_begun_and_stopped_by_post(operator: Client) -> None:
    letters = [bury() for _ in range(3)]
    assert "replayed alone" in text(operator, do_all(letters[0], "canary"))
    page = operator.post(do_all(letters[0], "canary"), {"rate": "2.5"}, follow=True).content.decode()
    replay = Replay.objects.get()
    assert (replay.rate, replay.total, replay.by, replay.fingerprint) == (
        2.5,
        3,
        "admin",
        letters[0].fingerprint,
    )
    stop = reverse("admin:workers_deadletter_stop", args=[replay.pk])
    assert "Trying one" in page
    assert stop in page
    assert "Stop it" in text(operator, stop)
    assert operator.post(stop).status_code == 302
    replay.refresh_from_db()
    assert replay.state == "stopped"
    assert "Stopped by a person" in text(operator, GROUPS)
    assert operator.get(stop).status_code == 404


@pytest.mark.parametrize("rate", ["", "0", "-1", "nan", "1e9", "fast"])
def test_a_rate_that_makes_no_sense_is_asked_for_again(operator: Client, rate: str) -> None:
    letter = bury()
    assert operator.post(do_all(letter, "canary"), {"rate": rate}).status_code == 200
    assert not Replay.objects.exists()


def test_discarding_asks_for_a_reason(operator: Client) -> None:
    letter = bury(Step.SMS)
    assert "This field is required" in operator.post(do(letter, "discard"), {"why": " "}).content.decode()
    assert DeadLetter.objects.get().resolved_at is None
    operator.post(do(letter, "discard"), {"why": "a landline"})
    assert DeadLetter.objects.get().resolution == "discarded by admin: a landline"
    assert DeadLetterAction.objects.get().why == "a landline"


def test_one_that_its_order_stands_still_for_goes_only_with_it(operator: Client) -> None:
    letter = bury(Step.CHARGE)
    page = operator.post(do(letter, "discard"), {"why": "no use"}, follow=True).content.decode()
    assert "would be forgotten without it" in page
    assert DeadLetter.objects.get().resolved_at is None
    operator.post(do(letter, "discard"), {"why": "no use", "cancel_orders": "on"})
    assert DeadLetter.objects.get().resolution == "order cancelled by admin: no use"
    assert Order.objects.get().status == "cancelled"


def test_a_note_stands_in_the_history_and_changes_nothing_else(operator: Client) -> None:
    letter = bury()
    assert "This field is required" in operator.post(do(letter, "note"), {"why": ""}).content.decode()
    operator.post(do_all(letter, "note"), {"why": "the carrier says: Tuesday"})
    assert DeadLetter.objects.get().resolved_at is None
    page = text(operator, reverse("admin:workers_deadletter_change", args=[letter.pk]))
    assert "the carrier says: Tuesday" in page


@pytest.mark.parametrize("action", ACTIONS)
def test_many_are_dealt_with_after_a_page_that_asks(operator: Client, action: str) -> None:
    letters = [bury(Step.SMS) for _ in range(3)]
    chosen = {"action": f"{action}_selected", ACTION_CHECKBOX_NAME: [letter.pk for letter in letters[:2]]}
    assert "2 dead letters" in operator.post(LIST, chosen).content.decode()
    assert not DeadLetter.objects.exclude(resolved_at=None).exists()
    operator.post(LIST, {**chosen, "confirmed": "yes", "select_across": "0", "why": "so", "rate": "5"})
    if action == "canary":
        assert Replay.objects.get().total == 2
    else:
        assert set(DeadLetter.objects.filter(resolved_at=None)) == {letters[2]}


@pytest.mark.parametrize("action", ACTIONS)
def test_who_may_only_look_does_nothing(onlooker: Client, action: str) -> None:
    letter = bury(Step.SMS)
    begun = canary.begin(DeadLetter.objects.all(), chosen="all", by="ada")
    assert begun
    stop = reverse("admin:workers_deadletter_stop", args=[begun.pk])
    page = reverse("admin:workers_deadletter_change", args=[letter.pk])
    for address in (LIST, GROUPS, page, reverse("admin:workers_deadletter_group", args=[letter.fingerprint])):
        shown = text(onlooker, address)
        assert do(letter, action) not in shown
        assert do_all(letter, action) not in shown
        assert stop not in shown
    answer = {"why": "so", "rate": "5"}
    for address in (do(letter, action), do_all(letter, action), stop):
        assert onlooker.get(address).status_code == 403
        assert onlooker.post(address, answer).status_code == 403
    chosen = {"action": f"{action}_selected", ACTION_CHECKBOX_NAME: [letter.pk], "confirmed": "yes"}
    onlooker.post(LIST, {**chosen, **answer})
    assert DeadLetter.objects.get().resolved_at is None
    assert Replay.objects.get().state == "canary"


def test_what_may_not_be_done_is_not_there(operator: Client) -> None:
    letter = bury()
    assert operator.get(do(letter, "burn")).status_code == 404
    assert operator.get(do_all(letter, "burn")).status_code == 404


def test_letters_are_neither_edited_nor_deleted(operator: Client) -> None:
    letter = bury()
    assert operator.post(reverse("admin:workers_deadletter_change", args=[letter.pk]), {}).status_code == 403
    delete = reverse("admin:workers_deadletter_delete", args=[letter.pk])
    assert operator.post(delete, {"post": "yes"}).status_code == 403
