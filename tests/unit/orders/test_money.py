"""Amounts: what people read, and the tax within."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orders.money import format, percent, tax_within


@pytest.mark.parametrize(
    ("minor", "currency", "read"),
    [
        (1250, "GBP", "£12.50"),
        (5, "EUR", "€0.05"),
        (123_456_789, "USD", "$1,234,567.89"),
        (1250, "JPY", "¥1,250"),
        (1250, "KWD", "KWD\N{NO-BREAK SPACE}1.250"),
        (1250, "CHF", "CHF\N{NO-BREAK SPACE}12.50"),
        (-1250, "GBP", "−£12.50"),
        (0, "GBP", "£0.00"),
    ],
)
def test_an_amount_is_read_as_its_currency_counts(minor: int, currency: str, read: str) -> None:
    assert format(minor, currency) == read


@pytest.mark.parametrize(("rate", "read"), [(2000, "20%"), (550, "5.5%"), (0, "0%"), (1975, "19.75%")])
def test_a_rate_is_read_in_per_cent(rate: int, read: str) -> None:
    assert percent(rate) == read


@given(st.integers(1, 10**12), st.integers(0, 10_000))
def test_the_tax_within_is_the_nearest_whole_unit(gross: int, rate: int) -> None:
    tax = tax_within(gross, rate)
    assert abs(tax * (10_000 + rate) - gross * rate) * 2 <= 10_000 + rate
    assert 0 <= tax <= gross
