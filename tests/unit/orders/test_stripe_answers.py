"""What Stripe answers and localstripe never does, read as its documentation shows it (docs.stripe.com/api)."""

from typing import Any

import pytest
import stripe

from orders.payments.stripe import _declined, _intent
from orders.providers.failures import Transient


def answer(status: str, **changes: Any) -> stripe.PaymentIntent:
    body = {
        "id": "pi_1",
        "object": "payment_intent",
        "status": status,
        "amount": 2_500,
        "amount_received": 0,
        "currency": "gbp",
        "latest_charge": None,
        "next_action": None,
        "last_payment_error": None,
        "metadata": {},
        "created": 1_795_000_000,
    }
    made: stripe.PaymentIntent = stripe.PaymentIntent.construct_from({**body, **changes}, "sk_test")
    return made


def charge(**amounts: int) -> dict[str, Any]:
    return {"id": "ch_1", "object": "charge", **amounts}


def test_the_bank_has_a_page_to_go_to() -> None:
    redirect = {
        "type": "redirect_to_url",
        "redirect_to_url": {"url": "https://hooks.stripe.com/3d", "return_url": ""},
    }
    intent = _intent(answer("requires_action", next_action=redirect))
    assert (intent.status, intent.action_url) == ("requires_action", "https://hooks.stripe.com/3d")


def test_a_hold_that_was_given_up_was_never_refunded() -> None:
    intent = _intent(answer("canceled", latest_charge=charge(amount=2_500, amount_refunded=2_500)))
    assert (intent.status, intent.captured_minor, intent.refunded_minor) == ("voided", 0, 0)


def test_a_part_that_was_refunded_is_told_by_the_charge() -> None:
    part = charge(amount=2_500, amount_refunded=1_000)
    intent = _intent(answer("succeeded", amount_received=2_500, latest_charge=part))
    assert (intent.captured_minor, intent.refunded_minor) == (2_500, 1_000)


def test_a_confirmation_that_failed_is_a_decline_with_its_reason() -> None:
    error = {"code": "payment_intent_authentication_failure", "message": "The holder did not confirm."}
    intent = _intent(answer("requires_payment_method", last_payment_error=error))
    assert (intent.status, intent.reason) == ("declined", "The holder did not confirm.")


def test_what_the_bank_has_not_decided_is_asked_about_again() -> None:
    with pytest.raises(Transient, match="pi_1 is processing"):
        _intent(answer("processing"))


def test_a_decline_names_its_intent_and_its_reason() -> None:
    body = {"error": {"message": "Your card was declined.", "payment_intent": {"id": "pi_1"}}}
    error = stripe.CardError("Your card was declined.", None, "card_declined", json_body=body)  # type: ignore[no-untyped-call]
    intent = _declined(error)
    assert (intent.reference, intent.status, intent.reason) == ("pi_1", "declined", "Your card was declined.")
