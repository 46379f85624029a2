"""What every payment gateway must do, held against each of them with a real server behind it.

The sandbox's provider is ours; for Stripe localstripe answers. What localstripe does otherwise than Stripe stands in
LOCALSTRIPE_CANNOT, with what it does instead: those tests run against the sandbox, which does it as Stripe does.
"""

import uuid
from collections.abc import Callable, Coroutine
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar

import pytest
from pytest_django import Settings

from orders.payments.gateway import Charge, Intent, Listed, Returned
from orders.payments.stripe import StripeGateway
from orders.providers.failures import Refused, Transient
from orders.providers.http import client
from stack.ports import HOST, Ports
from tests.contract.conftest import Provider

T = TypeVar("T")

LOCALSTRIPE_CANNOT = {
    "test_the_same_charge_again_is_the_same_charge": "it ignores idempotency keys, and would charge twice",
    "test_the_same_refund_again_is_the_same_refund": "it ignores idempotency keys, and would refund twice",
    "test_a_key_is_not_taken_for_another_charge": "it ignores idempotency keys, and takes both",
    "test_no_more_is_given_back_than_was_taken": "it refunds whatever it is asked to",
    "test_a_confirmation_has_a_page_to_go_to": "it sends the buyer to Stripe's script and knows no page of a bank",
    "test_an_unknown_card_is_a_decline": "it answers 404 without naming the parameter",
    "test_a_decline_is_known_by_its_reference": "it leaves the payment intent out of the error",
}


def gateways(test: Callable[..., None]) -> Callable[..., None]:
    """Run the test against every gateway that can do it."""
    can = ["sandbox"] if test.__name__ in LOCALSTRIPE_CANNOT else ["sandbox", "stripe"]
    marked: Callable[..., None] = pytest.mark.parametrize("provider", can, indirect=True)(test)
    return marked


def run(work: Coroutine[Any, Any, T]) -> T:
    return client().run(work)


def a_charge(card: str, amount: int = 2_500, key: str = "", currency: str = "GBP") -> Charge:
    return Charge(
        key=key or f"{uuid.uuid4()}-charge",
        order_number="S-100001",
        token=card,
        amount_minor=amount,
        currency=currency,
        return_url="http://127.0.0.1:8000/orders/token/",
    )


def charged(provider: Provider, *, capture: bool = True) -> Intent:
    return run(provider.gateway.authorise(a_charge(provider.cards.good), capture=capture))


def found(provider: Provider, reference: str) -> Intent:
    intent = run(provider.gateway.find(key="", reference=reference))
    assert intent
    return intent


def test_what_localstripe_cannot_do_is_a_test_here() -> None:
    assert set(LOCALSTRIPE_CANNOT) <= set(globals())


@gateways
def test_a_charge_is_authorised_and_captured_in_one_call(provider: Provider) -> None:
    intent = charged(provider)
    assert intent.reference
    assert (intent.status, intent.captured_minor, intent.refunded_minor) == ("captured", 2_500, 0)
    assert found(provider, intent.reference) == intent


@gateways
def test_what_is_only_authorised_is_captured_later(provider: Provider) -> None:
    held = charged(provider, capture=False)
    assert (held.status, held.captured_minor) == ("authorised", 0)
    taken = run(provider.gateway.capture(held.reference, 2_500, key=f"{uuid.uuid4()}-capture"))
    assert (taken.status, taken.captured_minor) == ("captured", 2_500)


@gateways
def test_what_is_only_authorised_is_voided(provider: Provider) -> None:
    held = charged(provider, capture=False)
    voided = run(provider.gateway.void(held.reference, key=f"{uuid.uuid4()}-void"))
    assert (voided.status, voided.captured_minor) == ("voided", 0)
    assert found(provider, held.reference).status == "voided"


@gateways
def test_what_is_captured_cannot_be_voided_and_says_so(provider: Provider) -> None:
    taken = charged(provider)
    assert run(provider.gateway.void(taken.reference, key=f"{uuid.uuid4()}-void")).status == "captured"


@gateways
def test_all_of_it_is_refunded(provider: Provider) -> None:
    taken = charged(provider)
    run(provider.gateway.refund(taken.reference, 2_500, key="all-refund"))
    assert found(provider, taken.reference).refunded_minor == 2_500


@gateways
def test_it_is_refunded_in_parts(provider: Provider) -> None:
    taken = charged(provider)
    assert run(provider.gateway.returns(taken.reference)) == []
    keys = [f"{uuid.uuid4()}-refund-{part}" for part in (1, 2)]
    run(provider.gateway.refund(taken.reference, 1_000, key=keys[0]))
    run(provider.gateway.refund(taken.reference, 300, key=keys[1]))
    standing = found(provider, taken.reference)
    assert (standing.status, standing.captured_minor, standing.refunded_minor) == ("captured", 2_500, 1_300)
    made = run(provider.gateway.returns(taken.reference))
    assert {(one.key, one.amount_minor) for one in made} == {(keys[0], 1_000), (keys[1], 300)}
    assert {(one.charge, one.is_dispute, one.status) for one in made} == {
        (taken.reference, False, "given_back")
    }


@gateways
def test_it_lists_what_was_given_back_whoever_did_it(provider: Provider) -> None:
    began = datetime.now(UTC) - timedelta(seconds=2)
    taken, other = charged(provider), charged(provider)
    run(provider.gateway.refund(taken.reference, 1_000, key=f"{uuid.uuid4()}-refund"))
    run(provider.gateway.refund(other.reference, 2_500, key=f"{uuid.uuid4()}-refund"))
    seen = run(_returned(provider, began))
    assert {
        one.charge: one.amount_minor for one in seen if one.charge in (taken.reference, other.reference)
    } == {
        taken.reference: 1_000,
        other.reference: 2_500,
    }
    assert run(_returned(provider, datetime.now(UTC) + timedelta(minutes=1))) == []


async def _returned(provider: Provider, since: datetime) -> list[Returned]:
    return [one async for one in provider.gateway.returned(since)]


@gateways
@pytest.mark.parametrize("currency", ["ISK", "JPY", "KWD"])
def test_amounts_are_ours_in_and_out_however_the_provider_counts(provider: Provider, currency: str) -> None:
    charge = a_charge(provider.cards.good, 2_500, currency=currency)
    held = run(provider.gateway.authorise(charge, capture=False))
    taken = run(provider.gateway.capture(held.reference, 2_500, key=f"{uuid.uuid4()}-capture"))
    assert taken.captured_minor == 2_500
    run(provider.gateway.refund(taken.reference, 1_000, key=f"{uuid.uuid4()}-refund"))
    assert [refund.amount_minor for refund in run(provider.gateway.returns(taken.reference))] == [1_000]
    assert found(provider, taken.reference).refunded_minor == 1_000


@gateways
def test_a_declined_card_is_an_answer_and_no_error(provider: Provider) -> None:
    intent = run(provider.gateway.authorise(a_charge(provider.cards.declined), capture=True))
    assert (intent.status, intent.captured_minor) == ("declined", 0)
    assert "declined" in intent.reason


@gateways
def test_a_decline_is_known_by_its_reference(provider: Provider) -> None:
    intent = run(provider.gateway.authorise(a_charge(provider.cards.declined), capture=True))
    assert found(provider, intent.reference).status == "declined"


@gateways
def test_an_unknown_card_is_a_decline(provider: Provider) -> None:
    intent = run(provider.gateway.authorise(a_charge(provider.cards.unknown), capture=True))
    assert intent.status == "declined"


@gateways
def test_the_bank_may_ask_the_buyer(provider: Provider) -> None:
    intent = run(provider.gateway.authorise(a_charge(provider.cards.confirms), capture=True))
    assert (intent.status, intent.captured_minor) == ("requires_action", 0)
    assert found(provider, intent.reference).status == "requires_action"


@gateways
def test_a_confirmation_has_a_page_to_go_to(provider: Provider) -> None:
    intent = run(provider.gateway.authorise(a_charge(provider.cards.confirms), capture=True))
    assert intent.action_url.startswith("http")


@gateways
def test_what_was_not_confirmed_is_given_up(provider: Provider) -> None:
    intent = run(provider.gateway.authorise(a_charge(provider.cards.confirms), capture=True))
    assert run(provider.gateway.void(intent.reference, key=f"{uuid.uuid4()}-void")).status == "voided"


@gateways
def test_a_charge_is_found_by_its_key_alone(provider: Provider) -> None:
    began = datetime.now(UTC) - timedelta(seconds=5)
    charge = a_charge(provider.cards.good)
    intent = run(provider.gateway.authorise(charge, capture=True))
    charged(provider)
    assert run(provider.gateway.find(key=charge.key, since=began)) == intent


@gateways
def test_what_it_never_heard_of_is_none(provider: Provider) -> None:
    assert run(provider.gateway.find(key="never-charge", since=datetime.now(UTC))) is None
    assert run(provider.gateway.find(key="", reference="pi_never")) is None


@gateways
def test_what_cannot_be_is_refused(provider: Provider) -> None:
    with pytest.raises(Refused, match="refund of pi_never"):
        run(provider.gateway.refund("pi_never", 1, key=f"{uuid.uuid4()}-refund"))
    with pytest.raises(Refused, match="capture of pi_never"):
        run(provider.gateway.capture("pi_never", 1, key=f"{uuid.uuid4()}-capture"))


@gateways
def test_no_more_is_given_back_than_was_taken(provider: Provider) -> None:
    taken = charged(provider)
    with pytest.raises(Refused):
        run(provider.gateway.refund(taken.reference, 2_501, key=f"{uuid.uuid4()}-refund"))


@gateways
def test_it_lists_what_was_charged_newest_first(provider: Provider) -> None:
    began = datetime.now(UTC) - timedelta(seconds=2)
    # More than a page holds, so that the second one is asked for.
    charges = [a_charge(provider.cards.good, amount) for amount in range(1_000, 1_120)]
    for charge in charges:
        run(provider.gateway.authorise(charge, capture=True))
    ours = {charge.key for charge in charges}
    seen = [listed for listed in run(_listed(provider, began)) if listed.key in ours]
    assert {listed.key for listed in seen} == ours
    assert [listed.intent.captured_minor for listed in seen] == list(range(1_119, 999, -1))
    newest = seen[0]
    assert (newest.order_number, newest.currency, newest.intent.captured_minor) == ("S-100001", "GBP", 1_119)
    assert newest.created_at >= began
    assert run(_listed(provider, datetime.now(UTC) + timedelta(minutes=1))) == []


async def _listed(provider: Provider, since: datetime) -> list[Listed]:
    return [listed async for listed in provider.gateway.list(since)]


@gateways
def test_the_same_charge_again_is_the_same_charge(provider: Provider) -> None:
    charge = a_charge(provider.cards.good)
    first, second = (run(provider.gateway.authorise(charge, capture=True)) for _ in range(2))
    assert first == second


@gateways
def test_the_same_refund_again_is_the_same_refund(provider: Provider) -> None:
    taken = charged(provider)
    for _ in range(2):
        run(provider.gateway.refund(taken.reference, 1_000, key=f"{taken.reference}-refund"))
    assert found(provider, taken.reference).refunded_minor == 1_000


@gateways
def test_a_key_is_not_taken_for_another_charge(provider: Provider) -> None:
    charge = a_charge(provider.cards.good)
    run(provider.gateway.authorise(charge, capture=True))
    with pytest.raises(Refused):
        run(provider.gateway.authorise(a_charge(provider.cards.good, 1, key=charge.key), capture=True))


def test_a_key_that_stripe_does_not_take_costs_no_order(stripe_url: str, settings: Settings) -> None:
    """Whoever changed the key mends it; until then the orders wait."""
    settings.STRIPE_API_BASE, settings.STRIPE_API_KEY = stripe_url, "sk_"
    with pytest.raises(Transient, match="STRIPE_API_KEY") as raised:
        run(StripeGateway().authorise(a_charge("pm_card_visa"), capture=True))
    assert raised.value.retry_after


def test_a_stripe_that_is_away_is_asked_again(settings: Settings) -> None:
    settings.STRIPE_API_BASE, settings.STRIPE_API_KEY = f"http://{HOST}:{Ports.free().payments}", "sk_test"
    with pytest.raises(Transient, match="no connection"):
        run(StripeGateway().find(key="", reference="pi_1"))
