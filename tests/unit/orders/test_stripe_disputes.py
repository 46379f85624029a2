"""How Stripe names a dispute, and what that means for our books. localstripe has none to list."""

import pytest
import stripe

from orders.payments.gateway import Returned, ReturnStatus
from orders.payments.stripe import _dispute


@pytest.mark.parametrize(
    ("named", "means"),
    [
        ("needs_response", "open"),
        ("under_review", "open"),
        ("lost", "given_back"),
        ("won", "won"),
        ("warning_needs_response", "asked"),
        ("warning_under_review", "asked"),
        ("warning_closed", "won"),
        ("a status that Stripe has yet to invent", "open"),
    ],
)
@pytest.mark.parametrize("charge", ["pi_1", {"id": "pi_1", "object": "payment_intent"}])
def test_each_status_is_one_of_ours(named: str, means: ReturnStatus, charge: object) -> None:
    dispute = stripe.Dispute.construct_from(
        {
            "id": "dp_1",
            "object": "dispute",
            "payment_intent": charge,
            "amount": 1_250,
            "currency": "gbp",
            "status": named,
        },
        "sk_test",
    )
    assert _dispute(dispute) == Returned("dp_1", "pi_1", 1_250, is_dispute=True, status=means)
