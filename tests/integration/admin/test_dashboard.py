"""The first page of the admin: what piles up, what failed, and the ways to workers and mailbox."""

import pytest
from django.contrib.auth.models import User
from django.test import Client

from orders import scheduling
from orders.workflow import Step
from tests.making import place_order
from workers import deadletters
from workers.dashboard import show

pytestmark = pytest.mark.django_db


def test_it_counts_what_there_is(rf: object, admin_user: User) -> None:
    request = type("Request", (), {"user": admin_user})()
    scheduling.close([place_order().pk])
    place_order()
    deadletters.bury(Step.SHIP, {place_order().pk: ConnectionError("carrier is away")})
    shown = show(request, {})
    assert {figure.name: figure.value for figure in shown["work"]} == {
        "Oldest that has not ended": "now",
        "Due now": "1",
        "Under way": "0",
        "Waiting": "0",
        "Invoices to print": "0",
        "Open dead letters": "1",
    }
    assert {figure.name: figure.value for figure in shown["statuses"]}["Placed"] == "3"
    [row] = shown["letter_groups"]["rows"]
    step, error, said, count, _ = row
    assert (step, said, count) == ("shipping.book", "carrier is away", "1")
    assert ">ConnectionError</a>" in error


def test_it_leads_to_flower_and_mailbox(operator: Client, settings: object) -> None:
    settings.FLOWER_URL, settings.MAILBOX_URL = "http://flower.example", "http://mailbox.example"  # type: ignore[attr-defined]
    page = operator.get("/admin/").content.decode()
    assert "http://flower.example" in page
    assert "http://mailbox.example" in page


def test_an_empty_shop_has_one_too(operator: Client) -> None:
    page = operator.get("/admin/").content.decode()
    assert "nothing waits" in page
    assert "nothing was given up" in page


def test_who_may_not_see_orders_sees_no_figures(client: Client) -> None:
    client.force_login(User.objects.create_user("temp", is_staff=True))
    page = client.get("/admin/")
    assert page.status_code == 200
    assert "Orders by status" not in page.content.decode()


def test_every_page_keeps_to_the_admins_own_policy(operator: Client) -> None:
    policy = operator.get("/admin/").headers["Content-Security-Policy"]
    assert "default-src 'none'" in policy
    assert "http:" not in policy
