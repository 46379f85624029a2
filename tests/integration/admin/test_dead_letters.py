"""Dead letters at the desk: the open ones first, the same failures together, replayed by a confirmed POST alone."""

import pytest
from django.contrib.admin.helpers import ACTION_CHECKBOX_NAME
from django.test import Client
from django.urls import reverse

from orders.models import Order
from tests.making import kinds, place_order
from workers import deadletters
from workers.models import DeadLetter
from workers.workflow import Step

pytestmark = pytest.mark.django_db
LIST = "/admin/workers/deadletter/"


def bury(step: Step = Step.SHIP, why: str = "carrier is away") -> DeadLetter:
    order = place_order()
    try:
        raise ConnectionError(why)
    except ConnectionError as error:
        deadletters.bury(step, {order.pk: error})
    return DeadLetter.objects.get(order=order)


def test_the_list_begins_with_what_is_open(desk: Client) -> None:
    letter, resolved = bury(), bury()
    deadletters.replay(DeadLetter.objects.filter(pk=resolved.pk), by="ada")
    page = desk.get(LIST).content.decode()
    assert letter.about in page
    assert resolved.about not in page
    assert resolved.about in desk.get(LIST, {"state": "resolved"}).content.decode()
    both = desk.get(LIST, {"state": "all"}).content.decode()
    assert letter.about in both
    assert resolved.about in both


def test_letters_are_found_by_order_and_by_failure(desk: Client) -> None:
    ship, charge = bury(), bury(Step.CHARGE, "provider is away")
    for query in ({"q": ship.about}, {"q": "carrier"}, {"fingerprint": ship.fingerprint}):
        page = desk.get(LIST, query).content.decode()
        assert ship.about in page
        assert charge.about not in page


def test_the_page_tells_the_whole_error(desk: Client) -> None:
    letter = bury(why="<b>carrier</b> is away")
    page = desk.get(reverse("admin:workers_deadletter_change", args=[letter.pk])).content.decode()
    assert "&lt;b&gt;carrier&lt;/b&gt; is away" in page
    assert "Traceback (most recent call last)" in page


def test_one_is_replayed_by_post(desk: Client) -> None:
    letter = bury()
    address = reverse("admin:workers_deadletter_replay_one", args=[letter.pk])
    assert "Replay it" in desk.get(address).content.decode()
    assert DeadLetter.objects.get().resolved_at is None
    assert desk.post(address).status_code == 302
    letter.refresh_from_db()
    assert letter.resolution == "replayed by admin"
    assert Order.objects.get().due_at is not None
    assert kinds(Order.objects.get())[-1] == "order.replayed"
    assert "resolved this already" in desk.post(address, follow=True).content.decode()


def test_many_are_replayed_after_a_page_that_asks(desk: Client) -> None:
    letters = [bury() for _ in range(3)]
    chosen = {"action": "replay_selected", ACTION_CHECKBOX_NAME: [letter.pk for letter in letters[:2]]}
    page = desk.post(LIST, chosen).content.decode()
    assert "Replay 2 dead letters" in page
    assert not DeadLetter.objects.exclude(resolved_at=None).exists()
    desk.post(LIST, {**chosen, "confirmed": "yes", "select_across": "0"})
    assert set(DeadLetter.objects.filter(resolved_at=None)) == {letters[2]}


def test_who_may_only_look_replays_nothing(onlooker: Client) -> None:
    letter = bury()
    address = reverse("admin:workers_deadletter_replay_one", args=[letter.pk])
    assert address not in onlooker.get(LIST).content.decode()
    assert onlooker.post(address).status_code == 403
    onlooker.post(LIST, {"action": "replay_selected", ACTION_CHECKBOX_NAME: [letter.pk], "confirmed": "yes"})
    assert DeadLetter.objects.get().resolved_at is None


def test_letters_are_neither_edited_nor_deleted(desk: Client) -> None:
    letter = bury()
    assert desk.post(reverse("admin:workers_deadletter_change", args=[letter.pk]), {}).status_code == 403
    delete = reverse("admin:workers_deadletter_delete", args=[letter.pk])
    assert desk.post(delete, {"post": "yes"}).status_code == 403
