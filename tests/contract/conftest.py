"""The gateways that the contract is held against, each with a real server behind it."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import orjson
import pytest
from pytest_django import Settings

from orders.payments.gateway import Gateway
from orders.payments.sandbox import SandboxGateway
from orders.payments.stripe import StripeGateway
from orders.providers.http import client, expect
from tests.contract.standin import localstripe


@dataclass(frozen=True)
class Cards:
    """The tokens that make this provider do what their names say."""

    good: str
    declined: str
    unknown: str
    confirms: str


@dataclass(frozen=True)
class Provider:
    name: str
    gateway: Gateway
    cards: Cards


@pytest.fixture(scope="session")
def stripe_url() -> Iterator[str]:
    with localstripe() as url:
        yield url


@pytest.fixture
def provider(request: pytest.FixtureRequest, settings: Settings) -> Provider:
    """The provider that the test is run against: by its parameter, "sandbox" or "stripe"."""
    made: Callable[[], Provider] = {"sandbox": _sandbox, "stripe": lambda: _stripe(request, settings)}[
        request.param
    ]
    return made()


def _sandbox() -> Provider:
    cards = Cards(
        "pm_card_visa", "pm_card_chargeDeclined", "pm_card_nobody_has", "pm_card_threeDSecure2Required"
    )
    return Provider("sandbox", SandboxGateway(), cards)


def _stripe(request: pytest.FixtureRequest, settings: Settings) -> Provider:
    settings.STRIPE_API_BASE = request.getfixturevalue("stripe_url")
    settings.STRIPE_API_KEY = "sk_test_of_the_contract"
    gateway = StripeGateway()
    confirms = _payment_method(settings.STRIPE_API_BASE, "4000002500003155")
    cards = Cards("pm_card_visa", "pm_card_chargeCustomerFail", "pm_card_nobody_has", confirms)
    return Provider("stripe", gateway, cards)


def _payment_method(url: str, number: str) -> str:
    """What Stripe's script makes of a card in the buyer's browser; localstripe has no ready token for this one."""
    card = {"number": number, "exp_month": 12, "exp_year": 2030, "cvc": "123"}
    headers = {"Authorization": "Bearer sk_test_of_the_contract", "Content-Type": "application/json"}
    body = orjson.dumps({"type": "card", "card": card})
    status, _, answer = client().run(client().send("POST", f"{url}/v1/payment_methods", headers, body))
    return str(expect(status, orjson.loads(answer), "card")["id"])
