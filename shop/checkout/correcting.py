"""The address that the desk gives a parcel is held to the rules of the checkout (settings.ADDRESS_CHECKED_BY)."""

from collections.abc import Callable, Mapping

from django.core.exceptions import ValidationError

from orders.placing import Address
from shop.checkout import rules

_LINES = ("name", "line1", "line2", "city", "postcode")


def checked(given: Mapping[str, str]) -> Address:
    """The address as it is kept. Raises ValidationError with a sentence for each field that is wrong."""
    wrong: dict[str, str] = {}

    def tried(name: str, check: Callable[[], str]) -> str:
        try:
            return check()
        except ValueError as reason:
            wrong[name] = str(reason)
            return ""

    country = tried("country", lambda: rules.country(given["country"]))
    lines = {
        name: tried(name, lambda name=name: rules.address_line(name, given[name], country))  # type: ignore[misc]
        for name in _LINES
    }
    if wrong:
        raise ValidationError(wrong)
    return Address(**lines, country=country)
