"""The test cards: what each token makes the provider do.

The `pm_card_…` names are Stripe's own (https://docs.stripe.com/testing). The `pm_sandbox_…` names are ours, for faults
of the network that Stripe's test cards cannot show.
"""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Decline:
    """Why the bank said no; `code` is Stripe's decline_code."""

    code: str
    message: str


@dataclass(frozen=True, slots=True)
class Card:
    """How a card behaves. Without any of these it simply pays."""

    decline: Decline | None = None
    # The holder must confirm on a page of the bank.
    needs_authentication: bool = False
    # The work is done at once, the first caller hears of it much later.
    answers_late: bool = False
    # The work itself takes its time.
    is_slow: bool = False
    # So many first calls with a key are turned away with 503 and do nothing.
    refusals: int = 0


CARDS = {
    "pm_card_visa": Card(),
    "pm_card_chargeDeclined": Card(Decline("generic_decline", "Your card was declined.")),
    "pm_card_chargeDeclinedInsufficientFunds": Card(
        Decline("insufficient_funds", "Your card has insufficient funds.")
    ),
    "pm_card_threeDSecure2Required": Card(needs_authentication=True),
    "pm_sandbox_timeout": Card(answers_late=True),
    "pm_sandbox_flaky": Card(refusals=2),
    "pm_sandbox_slow": Card(is_slow=True),
}
