"""The breakers in the admin: a list that says who is away, and nothing to press."""

from datetime import timedelta

import pytest
from django.test import Client
from django.utils import timezone

from orders.models import Order
from orders.states import Provider
from tests.making import place_order
from workers.breakers.rules import State
from workers.models import Breaker

pytestmark = pytest.mark.django_db

LIST = "/admin/workers/breaker/"


@pytest.fixture
def away() -> Breaker:
    now = timezone.now()
    breaker, _ = Breaker.objects.update_or_create(
        provider=Provider.CARRIER,
        defaults={
            "state": State.OPEN,
            "since": now - timedelta(minutes=3),
            "times_opened": 1,
            "failures": 7,
            "next_probe_at": now + timedelta(seconds=9),
            "parked_until": now + timedelta(minutes=12),
            "last_error": "POST http://carrier/v1/shipments: no connection",
        },
    )
    return breaker


def test_the_list_says_who_is_away_and_how_many_wait(operator: Client, away: Breaker) -> None:
    place_order()
    Order.objects.update(due_at=away.parked_until)
    page = operator.get(LIST).content.decode()
    assert "Carrier" in page
    assert "Open" in page
    assert "no connection" in page
    assert "3\N{NO-BREAK SPACE}minutes ago" in page
    [row] = [row for row in page.split("<tr")[1:] if "Carrier" in row]
    assert ">1<" in "".join(row.split())


def test_one_is_looked_at_and_not_changed(operator: Client, away: Breaker) -> None:
    page = operator.get(f"{LIST}{away.pk}/change/").content.decode()
    assert "POST http://carrier/v1/shipments" in page
    assert "Open: its orders are parked" in page
    assert operator.post(f"{LIST}{away.pk}/change/", {"state": "closed"}).status_code == 403
    assert operator.get(f"{LIST}add/").status_code == 403
    assert operator.post(f"{LIST}{away.pk}/delete/").status_code == 403


def test_it_takes_a_right_to_see_them(onlooker: Client, away: Breaker) -> None:
    assert onlooker.get(LIST).status_code == 403
