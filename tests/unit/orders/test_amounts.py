"""What providers count otherwise than ISO 4217, and what they take: Stripe's table, as its documentation has it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pytest_django import Settings

from orders.money import _DECIMALS
from orders.payments.amounts import _STRIPE, MOST, counting, stripe

CURRENCIES = st.sampled_from(sorted({*_STRIPE, *_DECIMALS, "GBP", "CVE", "XYZ"}))


@pytest.mark.parametrize(
    ("currency", "minor", "units"),
    [
        ("USD", 1_099, 1_099),
        ("JPY", 500, 500),
        ("ISK", 5, 500),  # without decimals, and still sent with two
        ("UGX", 5, 500),
        ("HUF", 17_545, 17_545),  # whole units in payouts alone
        ("TWD", 80_045, 80_045),
        ("KWD", 5_120, 5_120),
        ("MGA", 500, 5),  # ISO 4217 counts two decimals
        ("IDR", 150_000_000, 150_000_000),
    ],
)
def test_the_documents_own_examples(currency: str, minor: int, units: int) -> None:
    assert stripe(currency).problem(minor) == ""
    assert stripe(currency).units(minor) == units
    assert stripe(currency).minor(units) == minor


@given(currency=CURRENCIES, minor=st.integers(1, 10**13))
def test_what_can_be_charged_is_charged_to_the_last_unit_and_within_the_bounds(
    currency: str, minor: int
) -> None:
    by = stripe(currency)
    if by.problem(minor):
        return
    units = by.units(minor)
    assert by.minor(units) == minor
    assert by.least <= units <= by.most
    assert units % by.step == 0


@given(currency=CURRENCIES, units=st.integers(1, MOST))
def test_what_stripe_can_charge_is_not_refused(currency: str, units: int) -> None:
    by = stripe(currency)
    if units % by.step or units < by.least or by.units(by.minor(units)) != units:
        return
    assert by.problem(by.minor(units)) == ""


@pytest.mark.parametrize(
    ("currency", "least"),
    [
        ("GBP", 30),
        ("EUR", 50),
        ("CZK", 1_500),
        ("HUF", 17_500),
        ("JPY", 50),
        ("MXN", 1_000),
        ("ISK", 1),
        ("KWD", 10),
    ],
)
def test_the_least_charge(currency: str, least: int) -> None:
    by = stripe(currency)
    assert by.problem(least) == ""
    assert by.problem(least - 1) != ""


def test_refusals_are_in_words() -> None:
    assert stripe("GBP").problem(20) == (
        "£0.20 is too little for a card: £0.30 is the least. Add something to the order, or pay on delivery."
    )
    assert "multiple of KWD\N{NO-BREAK SPACE}0.010" in stripe("KWD").problem(1_255)
    assert "multiple of MGA\N{NO-BREAK SPACE}1.00" in stripe("MGA").problem(150)
    assert "more than one payment can be" in stripe("IDR").problem(10**12)
    assert "more than one payment can be" in stripe("ISK").problem(10**10)


@pytest.mark.parametrize("gateway", ["sandbox", "somewhere.else.Gateway"])
def test_other_providers_count_as_iso_does(settings: Settings, gateway: str) -> None:
    settings.PAYMENT_GATEWAY = gateway
    for currency, minor in (("ISK", 1), ("KWD", 1_255), ("GBP", 1), ("IDR", 150_000_000)):
        assert counting(currency).problem(minor) == ""
        assert counting(currency).units(minor) == minor
    settings.PAYMENT_GATEWAY = "stripe"
    assert counting("ISK") == stripe("ISK")
