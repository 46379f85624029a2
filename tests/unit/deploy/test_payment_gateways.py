"""Each payment gateway says at the start what it needs, and only that."""

import pytest

from tests.unit.deploy import composition
from tests.unit.deploy.test_environment_file import manage

SANDBOX = composition.filled_in()
WITHOUT = {name: value for name, value in SANDBOX.items() if not name.startswith("PAYMENTS_")}
STRIPE = {
    **WITHOUT,
    "PAYMENT_GATEWAY": "stripe",
    "STRIPE_API_KEY": "sk_test_12345",
    "STRIPE_WEBHOOK_SECRET": "whsec_0123456789abcdef",
}


@pytest.mark.parametrize("variables", [SANDBOX, STRIPE], ids=["sandbox", "stripe"])
def test_a_gateway_starts_with_what_it_needs(variables: dict[str, str]) -> None:
    done = manage("check", variables=variables)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize(
    ("variables", "named"),
    [
        (WITHOUT, {"PAYMENTS_URL", "PAYMENTS_WEBHOOK_SECRET"}),
        ({**WITHOUT, "PAYMENT_GATEWAY": "stripe"}, {"STRIPE_API_KEY", "STRIPE_WEBHOOK_SECRET"}),
        ({**STRIPE, "STRIPE_API_KEY": "pk_test_12345"}, {"STRIPE_API_KEY"}),
        ({**STRIPE, "STRIPE_API_BASE": "api.stripe.com"}, {"STRIPE_API_BASE"}),
    ],
    ids=["sandbox", "stripe", "the publishable key", "no address"],
)
def test_what_is_missing_is_named(variables: dict[str, str], named: set[str]) -> None:
    done = manage("check", variables=variables)
    assert done.returncode != 0
    lines = {line.strip().partition(":")[0] for line in done.stderr.splitlines() if line.startswith("  ")}
    assert {line for line in lines if line.isupper()} == named
