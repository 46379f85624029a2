"""Prices in files are read exactly, or refused with a reason."""

import re
from decimal import Decimal

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from shop.catalogue.importing.amounts import rounded_to_minor, to_decimal, to_minor

PLAIN = re.compile(r"[0-9]{1,12}(\.[0-9]{1,2}0*)?")


# Twelve digits before the point is the most that a price is read with.
@given(minor=st.integers(0, 10**12 - 1), decimals=st.integers(0, 4))
@example(minor=10**12 - 1, decimals=0)
def test_a_written_amount_is_read_back(minor: int, decimals: int) -> None:
    assert (
        to_minor(str(Decimal(minor).scaleb(-decimals).quantize(Decimal(1).scaleb(-decimals))), decimals)
        == minor
    )


@given(whole=st.integers(0, 10**9), part=st.text("0123456789", max_size=4), zeros=st.integers(0, 5))
def test_zeros_at_the_end_do_not_matter(whole: int, part: str, zeros: int) -> None:
    text = f"{whole}.{part}{'0' * zeros}" if part or zeros else str(whole)
    assert Decimal(to_minor(text, 4)).scaleb(-4) == Decimal(text)


@given(st.text(max_size=12))
@example("٣")  # a digit to str.isdigit(), not to a price
@example("1e3")
@example("1,299.00")
@example("-1")
@example("£12.50")
@example("12.")
@example(".5")
@example("")
@example("nan")
@example("1 000")
@example("1_000")
def test_anything_but_a_plain_number_is_refused_with_a_reason(text: str) -> None:
    if PLAIN.fullmatch(text.strip()):
        assert Decimal(text.strip()) * 100 == to_minor(text, 2)
    else:
        with pytest.raises(ValueError, match=re.escape(f'"{text}"')):
            to_minor(text, 2)


def test_more_decimals_than_the_currency_has_are_refused() -> None:
    with pytest.raises(ValueError, match="more than 2 decimals"):
        to_minor("12.345", 2)
    with pytest.raises(ValueError, match="more than 0 decimals"):
        to_minor("12.5", 0)


@pytest.mark.parametrize(
    ("amount", "decimals", "minor"),
    [
        ("2.1", 2, 210),
        ("0.005", 2, 1),
        ("0.0049", 2, 0),
        ("2.5", 0, 3),
        ("1.2345", 3, 1235),
        ("-1.5", 2, -150),
    ],
)
def test_amounts_of_sales_are_rounded_half_up(amount: str, decimals: int, minor: int) -> None:
    assert rounded_to_minor(to_decimal(amount), decimals) == minor


@pytest.mark.parametrize("text", ["", "1e3", "NaN", "Infinity", "1,5", "٣", "--1"])
def test_a_decimal_is_a_plain_number(text: str) -> None:
    with pytest.raises(ValueError, match="is not a number"):
        to_decimal(text)
