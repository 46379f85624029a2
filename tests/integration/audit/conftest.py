"""A shop whose orders went every way there is, carried by the steps themselves against the real providers."""

from collections.abc import Collection
from dataclasses import dataclass, field

import pytest
from django.conf import settings
from django.db import connection, transaction
from pytest_django import Settings

from orders import closing, inventory
from orders.cancelling import cancel
from orders.models import InvoiceCounter, Order
from orders.models.order import number_of
from orders.notifications import email, sms
from orders.payments import charging, refunding
from orders.providers.http import client, expect
from orders.workflow import SIDE_BY_SIDE, work_of
from tests.integration.audit.lying import Lying, front
from tests.making import place_order, stock
from workers.audit.books import Report, prove
from workers.audit.ledgers import Ledgers, Positions

_ends: Positions = {}


def ledger_ends() -> Positions:
    """Where the ledgers end now; each test looks at what comes after it, the providers remember all tests."""
    ledgers = Ledgers(_ends)
    ledgers.read(late=False)
    ledgers.drop()
    assert not ledgers.missing
    _ends.update(ledgers.positions)
    return dict(_ends)


def forget_ledgers() -> None:
    """The providers begin anew."""
    _ends.clear()


@dataclass
class Shop:
    """Orders by the way they went; their ids by name in `orders`."""

    since: Positions
    orders: dict[str, int] = field(default_factory=dict)

    def __getitem__(self, name: str) -> int:
        return self.orders[name]

    def number(self, name: str) -> str:
        return number_of(self.orders[name])

    def order(self, name: str) -> Order:
        return Order.objects.get(pk=self.orders[name])

    def place(self, name: str, sku: str = "MUG", card: str | None = "pm_card_visa") -> int:
        self.orders[name] = place_order([(sku, 2), ("BOOK", 1)], card=card).pk
        return self.orders[name]

    def audit(self) -> Report:
        return prove(since=self.since)

    def problems(self) -> dict[str, list[str]]:
        """What is wrong, by the names of the checks that say so."""
        return {result.check.name: result.problems for result in self.audit().results if not result.ok}

    def problems_of(self, check: str) -> list[str]:
        """What this check finds wrong; no other may find anything."""
        found = self.problems()
        assert list(found) == [check], found
        return found[check]

    def only_problem(self, check: str) -> str:
        """The one problem there is, which this check alone must find."""
        [problem] = self.problems_of(check)
        return problem


def carry(ids: Collection[int]) -> list[int]:
    """Every step of an order that goes well."""
    inventory.reserve(ids)
    charging.charge(ids)
    for step in SIDE_BY_SIDE:
        work_of(step)(ids)
    return closing.complete(ids)


def clear_up(ids: Collection[int]) -> None:
    """Every step of an order that failed."""
    inventory.release(ids)
    refunding.refund(ids)
    tell(ids)
    closing.close(ids)


def tell(ids: Collection[int]) -> None:
    email.mail(ids)
    sms.text(ids)


def ask(provider: str, path: str, key: str, body: dict[str, object]) -> None:
    """A call to a provider behind the shop's back; declined is an answer too."""
    url = getattr(settings, f"{provider.upper()}_URL") + path
    status, answer = client().run(client().call("POST", url, key=key or None, body=body))
    if status != 402:
        expect(status, answer, url)


def charge(
    number: str, key: str, amount: int, card: str = "pm_card_visa", capture: str = "automatic"
) -> None:
    """A charge for an order that is none of the shop's doing."""
    body = {
        "amount": amount,
        "currency": "gbp",
        "payment_method": card,
        "capture_method": capture,
        "metadata": {"order": number},
    }
    ask("payments", "/v1/payment_intents", key, body)


def corrupt(statement: str, *params: str | int) -> None:
    """Change what nobody may change, past the triggers; something must have changed."""
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SET LOCAL session_replication_role = replica")
        cursor.execute(statement, params)
        assert cursor.rowcount > 0, statement


@pytest.fixture
def lying(settings: Settings) -> Lying:
    """`with lying("sms", tell):` what is read of that provider's ledger is what `tell` makes of it."""
    return front(settings)


@pytest.fixture
def empty_shop(transactional_db: None, settings: Settings) -> Shop:
    """Stocked, and nothing ordered yet. Mails go out, which Django's test environment would keep in memory."""
    settings.EMAIL_BACKEND = "orders.notifications.pipelining.PipeliningBackend"
    InvoiceCounter.objects.get_or_create()  # a migration made it; the end of a transactional test removes it
    stock(MUG=1000, BOOK=1000, RARE=1)
    return Shop(ledger_ends())


@pytest.fixture
def shop(empty_shop: Shop) -> Shop:
    """An order of every kind: `completed`, `cod`, `sold_out`, `declined`, `cancelled`, and `placed`, not begun yet."""
    shop = empty_shop
    shop.place("completed")
    shop.place("cod", card=None)
    shop.place("cancelled")
    shop.place("declined", card="pm_card_chargeDeclined")
    shop.place("sold_out", sku="RARE")
    shop.place("placed")
    started = [shop[name] for name in ("completed", "cod", "cancelled", "declined", "sold_out")]
    inventory.reserve(started)
    charging.charge(started)
    cancel(shop.order("cancelled").token)
    assert len(carry([shop["completed"], shop["cod"]])) == 2
    clear_up([shop[name] for name in ("cancelled", "declined", "sold_out")])
    return shop
