"""The rules for contact, address and payment."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shop.checkout import rules


@pytest.mark.parametrize(
    ("typed", "kept"),
    [
        ("+442079460958", "+442079460958"),
        (" +44 (20) 7946-0958 ", "+442079460958"),
        ("+1.555.010.0199", "+15550100199"),
        ("+6421123456", "+6421123456"),
        ("+44 (0)20 7946 0958", "+442079460958"),  # the zero is dialled within the country only
        ("+39 06 698 12345", "+390669812345"),  # and here it belongs to the number
    ],
)
def test_phone_numbers_are_kept_as_e164_has_them(typed: str, kept: str) -> None:
    assert rules.phone(typed) == kept


@pytest.mark.parametrize(
    "typed",
    [
        "",
        "+",
        "020 7946 0958",
        "+999123456789",
        "+1 555 0100",
        "+0442079460958",
        "+44123",
        "+4420794609581234",
        "+44 20 x",
        "+44\u0662" * 5,
    ],
)
def test_other_texts_are_no_phone_numbers(typed: str) -> None:
    with pytest.raises(ValueError, match="phone number"):
        rules.phone(typed)


@given(st.text(max_size=60))
def test_what_is_kept_of_a_phone_number_is_digits(typed: str) -> None:
    try:
        kept = rules.phone(typed)
    except ValueError:
        return
    assert kept[0] == "+"
    assert kept[1:].isascii()
    assert kept[1:].isdigit()
    assert 7 <= len(kept[1:]) <= 15


@given(st.text(max_size=40))
def test_text_is_one_clean_line_or_refused(typed: str) -> None:
    try:
        kept = rules.text(typed, 30)
    except ValueError:
        return
    assert kept == typed.strip()
    assert 1 <= len(kept) <= 30
    assert len(kept.splitlines()) == 1
    kept.encode()


@pytest.mark.parametrize("name", ["Łukasz Żółć", "山田 太郎", "O'Brien-Smith", "عمر", "Zoë"])
def test_names_of_every_script_are_taken(name: str) -> None:
    assert rules.text(name, 120) == name


def test_countries_are_those_of_iso_3166() -> None:
    assert len(rules.COUNTRIES) == 249
    assert rules.COUNTRIES["DE"] == "Germany"
    assert rules.country("GB") == "GB"
    for typed in ("gb", "UK", "XX", "", "GBR"):
        with pytest.raises(ValueError, match="ISO 3166-1"):
            rules.country(typed)


def test_a_postcode_is_needed_where_addresses_have_one() -> None:
    assert rules.address_line("postcode", " SW1Y 4JH ", "GB") == "SW1Y 4JH"
    assert rules.address_line("postcode", None, "HK") == rules.address_line("postcode", " ", "IE") == ""
    for country in ("GB", "US", "XX", ""):
        with pytest.raises(ValueError, match="required"):
            rules.address_line("postcode", None, country)
        with pytest.raises(ValueError, match="empty"):
            rules.address_line("postcode", " ", country)


@pytest.mark.parametrize(
    "number", ["4242424242424242", "4242 4242 4242 4242", "3782-822463-10005", "4222222222222"]
)
def test_a_card_number_is_never_taken_for_a_token(number: str) -> None:
    with pytest.raises(ValueError, match="looks like a card number"):
        rules.card_token(number)
