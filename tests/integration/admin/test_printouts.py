"""Printouts in the admin: asked for with a POST, followed in the list, downloaded through a signed link."""

from pathlib import Path

import pytest
from django.test import Client
from django.urls import reverse
from pytest_django import Settings

from orders import files
from orders.models import Printout
from tests.making import place_order

pytestmark = pytest.mark.django_db

LIST, ASK = reverse("admin:orders_printout_changelist"), reverse("admin:orders_printout_ask")


def done() -> Printout:
    files.put("printouts/ab/abc.pdf", b"%PDF-1.7")
    return Printout.objects.create(
        kind="pick_list", since="2026-11-21", until="2026-11-21", by="ada", state="done", due_at=None, pages=3,
        size=8, file="printouts/ab/abc.pdf", content_hash="abc",
    )  # fmt: skip


@pytest.fixture(autouse=True)
def media(settings: Settings, tmp_path: Path) -> None:
    settings.MEDIA_ROOT = str(tmp_path)


def test_one_is_asked_for_by_its_days_and_made_later(operator: Client) -> None:
    assert "Print or save something" in operator.get(LIST).content.decode()
    assert operator.get(ASK).status_code == 200
    assert not Printout.objects.exists()
    response = operator.post(
        ASK, {"kind": "pick_list", "since": "2026-11-20", "until": "2026-11-21"}, follow=True
    )
    found = Printout.objects.get()
    assert (found.kind, str(found.since), str(found.until), found.by, found.state) == (
        "pick_list", "2026-11-20", "2026-11-21", "admin", "waiting",
    )  # fmt: skip
    assert found.due_at
    assert f"P-{found.pk} is under way" in response.content.decode()


def test_what_is_missing_is_said_on_the_form(operator: Client) -> None:
    text = operator.post(ASK, {"kind": "pick_list", "since": "", "until": ""}).content.decode()
    assert "Say from which day to which" in text
    assert not Printout.objects.exists()
    operator.post(ASK, {"kind": "catalogue", "since": "", "until": ""})
    assert Printout.objects.get().since is None


def test_ticked_orders_get_their_packing_slips(operator: Client) -> None:
    chosen = [place_order().pk, place_order().pk]
    place_order()
    operator.post(
        reverse("admin:orders_order_changelist"),
        {"action": "print_packing_slips", "_selected_action": [str(pk) for pk in chosen]},
    )
    found = Printout.objects.get()
    assert (found.kind, found.order_ids) == ("packing_slips", sorted(chosen))


def test_it_is_downloaded_through_a_link_that_is_good_for_minutes(operator: Client, client: Client) -> None:
    made = done()
    text = operator.get(LIST).content.decode()
    address = reverse("admin:orders_printout_download", args=[made.pk])
    assert address in text
    assert "3 pages" in text
    link = operator.get(address).headers["Location"]
    response = Client().get(link)  # whoever has it needs no login
    assert b"".join(response.streaming_content) == b"%PDF-1.7"  # type: ignore[attr-defined]
    assert response.headers["Content-Disposition"] == 'inline; filename="pick-list-2026-11-21.pdf"'
    assert Client().get(address).status_code == 302  # to the login


def test_cancelling_and_trying_again_ask_first(operator: Client) -> None:
    operator.post(ASK, {"kind": "catalogue"})
    made = Printout.objects.get()
    cancel, again = (
        reverse(f"admin:orders_printout_{action}", args=[made.pk]) for action in ("cancel", "again")
    )
    assert "thrown away" in operator.get(cancel).content.decode()
    made.refresh_from_db()
    assert made.state == "waiting"
    operator.post(cancel)
    made.refresh_from_db()
    assert (made.state, made.due_at) == ("cancelled", None)
    assert "has ended already" in operator.post(cancel, follow=True).content.decode()
    operator.post(again)
    made.refresh_from_db()
    assert made.state == "waiting"
    assert made.due_at


def test_who_may_only_look_can_ask_for_nothing(onlooker: Client) -> None:
    made = done()
    for address in (ASK, reverse("admin:orders_printout_cancel", args=[made.pk])):
        assert onlooker.post(address).status_code == 403
    assert onlooker.get(LIST).status_code == 403
    assert onlooker.get(reverse("admin:orders_printout_download", args=[made.pk])).status_code == 403
