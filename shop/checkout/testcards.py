"""The cards of the sandbox's payment provider, each a story to try. They are offered only while it is the gateway."""

from dataclasses import dataclass

from django.conf import settings


@dataclass(frozen=True, slots=True)
class TestCard:
    token: str  # what the provider knows the card by; no card number ever reaches us
    name: str
    story: str
    everyday: bool = True  # the others are for those who test the shop itself


_SANDBOX = (
    TestCard("pm_card_visa", "Visa ending 4242", "Pays at once."),
    TestCard(
        "pm_card_threeDSecure2Required",
        "Visa ending 3220",
        "Your bank asks you to confirm first (3-D Secure).",
    ),
    TestCard("pm_card_chargeDeclined", "Visa ending 0002", "Is declined."),
    TestCard(
        "pm_card_chargeDeclinedInsufficientFunds", "Visa ending 9995", "Has too little money on it.", False
    ),
    TestCard("pm_sandbox_slow", "Slow bank", "Pays after two seconds.", False),
    TestCard("pm_sandbox_flaky", "Flaky bank", "Fails twice, then pays.", False),
    TestCard("pm_sandbox_timeout", "Silent bank", "Takes the money and forgets to say so.", False),
)


def offered() -> tuple[TestCard, ...]:
    """The cards to choose from; none with a real payment gateway, whose own form makes the tokens."""
    return _SANDBOX if settings.PAYMENT_GATEWAY == "sandbox" else ()


def name_of(token: str) -> str:
    """What the card with this token is called; empty for one that is not ours."""
    return next((card.name for card in offered() if card.token == token), "")
