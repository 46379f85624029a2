"""What Stripe answers and localstripe never does, read as its documentation shows it (docs.stripe.com/api)."""

from typing import Any

import pytest
import stripe

from orders.payments.stripe import _declined, _intent, _shopper_can_mend
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


@pytest.mark.parametrize(
    ("currency", "units", "minor"),
    [("isk", 50_000, 500), ("ugx", 500, 5), ("mga", 5, 500), ("jpy", 500, 500)],
)
def test_amounts_come_in_our_units(currency: str, units: int, minor: int) -> None:
    part = charge(amount=units, amount_refunded=units)
    intent = _intent(answer("succeeded", amount_received=units, latest_charge=part, currency=currency))
    assert (intent.captured_minor, intent.refunded_minor) == (minor, minor)


_USED = (
    "The provided PaymentMethod was previously used with a PaymentIntent without Customer attachment, shared with a "
    "connected account without Customer attachment, or was detached from a Customer. It may not be used again. To use "
    "a PaymentMethod multiple times, you must attach it to a Customer first."
)


def refusal(message: str, code: str | None = None, param: str | None = None) -> stripe.InvalidRequestError:
    body = {"error": {"type": "invalid_request_error", "message": message, "code": code, "param": param}}
    return stripe.InvalidRequestError(message, param, code, http_status=400, json_body=body)  # type: ignore[no-untyped-call]


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (refusal(_USED), "enter the card once more"),
        (refusal("You cannot use a Stripe token more than once: tok_1.", "token_already_used"), "once more"),
        (refusal("Amount must be at least £0.30 gbp", "amount_too_small", "amount"), "at least £0.30"),
        (refusal("Amount must be no more than £999,999.99", "amount_too_large", "amount"), "no more than"),
        (refusal("Invalid integer: 1255", "parameter_invalid_integer", "amount"), "1255"),
        (refusal("No such PaymentMethod: 'pm_0'", "resource_missing", "payment_method"), "No such"),
        (refusal("This card cannot be charged in KWD.", "payment_method_currency_mismatch"), "in KWD"),
    ],
)
def test_what_the_shopper_can_mend_is_a_decline(error: stripe.InvalidRequestError, reason: str) -> None:
    assert _shopper_can_mend(error)
    intent = _declined(error)
    assert intent.status == "declined"
    assert reason in intent.reason


@pytest.mark.parametrize(
    "error",
    [
        refusal("Invalid currency: xyz.", "parameter_invalid", "currency"),
        refusal("Received unknown parameter: allowed_types", "parameter_unknown", "allowed_types"),
        refusal("Invalid URL", "url_invalid", "return_url"),
        refusal("Unrecognized request URL"),
    ],
)
def test_what_is_our_own_bug_is_none(error: stripe.InvalidRequestError) -> None:
    assert not _shopper_can_mend(error)
