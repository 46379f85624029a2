"""Orders that nobody has paid for: so many within a day for one e-mail address, phone or postal address."""

import json
import uuid
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone
from pytest_django import Settings

from orders import unpaid
from orders.cancelling import cancel
from orders.models import Order
from orders.placing import OrderDraft, Placed
from orders.unpaid import TooManyUnpaid
from shop.catalogue.models import Category, Product
from tests.making import at_once, draft, stock

pytestmark = pytest.mark.django_db(transaction=True)
MOST = 3


@pytest.fixture(autouse=True)
def _few(settings: Settings) -> None:
    settings.CASH_ORDERS_A_DAY = MOST


def cash(number: int = 0, **shared: str) -> OrderDraft:
    """An order to be paid at the door; what is not `shared` is its own. The names of an address go with the others."""
    one = draft(card=None)
    own = {
        "email": f"buyer-{number}@example.com",
        "phone": f"+44163296{number:04d}",
        "line1": f"{number} High Street",
    }
    said = own | shared
    line1 = said.pop("line1")
    address = replace(
        one.address, line1=line1, **{k: v for k, v in said.items() if k in ("postcode", "city")}
    )
    return replace(one, address=address, email=said["email"], phone=said["phone"])


def place(one: OrderDraft) -> Placed:
    return unpaid.place(one, wait=True)


@pytest.mark.parametrize(
    ("shared", "again", "named"),
    [
        ({"email": "ada@example.com"}, {"email": "ADA@Example.com"}, "e-mail address"),
        ({"phone": "+441632960001"}, {"phone": "+441632960001"}, "phone number"),
        ({"line1": "12 St James Square"}, {"line1": "12 st james square"}, "postal address"),
    ],
)
def test_more_than_so_many_that_share_something_are_refused_in_words(
    shared: dict[str, str], again: dict[str, str], named: str
) -> None:
    for number in range(MOST):
        assert place(cash(number, **shared)).created
    with pytest.raises(
        TooManyUnpaid, match=f"{MOST} orders with this {named} .* pay this one by card"
    ) as refused:
        place(cash(9, **again))
    assert timedelta(hours=23) < refused.value.at - timezone.now() <= unpaid.PERIOD
    assert Order.objects.count() == MOST


def test_who_shares_nothing_is_not_held_back() -> None:
    assert all(place(cash(number)).created for number in range(2 * MOST))


def test_who_pays_is_not_counted() -> None:
    card = replace(draft(), email="buyer-0@example.com")
    assert all(place(replace(card, key=str(uuid.uuid4()))).created for _ in range(MOST + 1))
    assert place(cash()).created


def test_what_was_cancelled_or_is_from_yesterday_does_not_count() -> None:
    for _ in range(MOST):
        placed = place(cash())
    cancel(placed.token)
    assert place(cash()).created
    Order.objects.filter(pk=placed.id - 1).update(placed_at=timezone.now() - unpaid.PERIOD)
    assert place(cash()).created
    with pytest.raises(TooManyUnpaid):
        place(cash())


def test_a_repeat_of_the_last_one_gets_its_answer() -> None:
    last = [cash() for _ in range(MOST)][-1]
    for one in [cash() for _ in range(MOST - 1)]:
        place(one)
    first, again = place(last), place(last)
    assert (first.id, first.created, again.created) == (again.id, True, False)


def test_without_a_limit_there_is_none(settings: Settings) -> None:
    settings.CASH_ORDERS_A_DAY = 0
    assert all(place(cash()).created for _ in range(2 * MOST))


def placed_of_twenty() -> int:
    """How many of twenty that come at once, all with one phone, are taken."""
    Order.objects.update(placed_at=timezone.now() - unpaid.PERIOD)  # those of a try before
    results = at_once(lambda number: place(cash(number, phone="+441632960001")), 20)
    assert all(isinstance(one, Placed | TooManyUnpaid) for one in results)
    return sum(isinstance(one, Placed) for one in results)


def test_of_twenty_at_once_so_many_are_taken() -> None:
    assert placed_of_twenty() == MOST


def test_without_their_lock_more_would_be(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(unpaid, "_LOCK", "SELECT %(keys)s::bigint[]")
    assert any(placed_of_twenty() > MOST for _ in range(20))


class TestInTheShop:
    @pytest.fixture(autouse=True)
    def _mug(self, settings: Settings) -> None:
        static = {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"}
        settings.STORAGES = {**settings.STORAGES, "staticfiles": static}
        kitchen = Category.objects.create(name="Kitchen", slug="kitchen")
        Product.objects.create(sku="MUG", name="Mug", category=kitchen, price_minor=500, currency="GBP")
        stock(MUG=100)

    def ask(self, method: str = "cod") -> Any:
        paid = {"method": method, **({"token": "pm_card_visa"} if method == "card" else {})}
        body = {
            "email": "ada@example.com",
            "phone": "+441632960001",
            "items": [{"sku": "MUG", "quantity": 1}],
            "shipping_address": {
                "name": "Ada",
                "line1": "12 St James Square",
                "city": "London",
                "postcode": "SW1Y 4JH",
                "country": "GB",
            },
            "payment": paid,
        }
        key = str(uuid.uuid4())
        return Client().post(
            "/api/orders/", json.dumps(body), "application/json", headers={"Idempotency-Key": key}
        )

    def test_a_program_is_told_when_to_come_back_and_may_pay_by_card(self) -> None:
        assert [self.ask().status_code for _ in range(MOST)] == [201] * MOST
        refused = self.ask()
        assert (refused.status_code, refused["Content-Type"]) == (429, "application/problem+json")
        assert refused.json()["type"].endswith("/too-many-unpaid/")
        assert 80_000 < int(refused["Retry-After"]) <= 86_400
        assert self.ask("card").status_code == 201

    def test_a_shopper_is_told_on_the_page_and_keeps_what_was_typed(self) -> None:
        for _ in range(MOST):
            self.ask()
        shopper = Client()
        shopper.post("/cart/MUG/")
        page = shopper.get("/checkout/")
        form = {
            "email": "ada@example.com",
            "phone": "+441632960001",
            "name": "Ada",
            "line1": "12 St James Square",
            "city": "London",
            "postcode": "SW1Y 4JH",
            "country": "GB",
            "payment": "cod",
            "ticket": page.context["ticket"],
        }
        refused = shopper.post("/checkout/", form)
        html = refused.content.decode()
        assert refused.status_code == 422
        assert "pay this one by card" in html
        assert "12 St James Square" in html
        assert shopper.post("/checkout/", {**form, "payment": "pm_card_visa"}).status_code == 303
