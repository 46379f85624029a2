"""Reads decimal amounts as people write them in files, exactly: no price is ever a float."""

import re
from decimal import ROUND_HALF_UP, Decimal

_AMOUNT = re.compile(r"([0-9]{1,12})(?:\.([0-9]+))?")
_NUMBER = re.compile(r"-?[0-9]{1,12}(\.[0-9]{1,12})?")


def to_minor(text: str, decimals: int) -> int:
    """ "12.5" with 2 decimals is 1250. Raises ValueError with a message for people."""
    found = _AMOUNT.fullmatch(text.strip())
    if not found:
        raise ValueError(f'"{text}" is not a number such as {_example(decimals)}')
    whole, part = found[1], found[2] or ""
    if len(part.rstrip("0")) > decimals:
        raise ValueError(f'"{text}" has more than {decimals} decimals')
    return int(whole + part[:decimals].ljust(decimals, "0"))


def to_decimal(text: str) -> Decimal:
    """A plain decimal number, which may be negative. Raises ValueError with a message for people."""
    if not _NUMBER.fullmatch(text.strip()):
        raise ValueError(f'"{text}" is not a number')
    return Decimal(text.strip())


def rounded_to_minor(amount: Decimal, decimals: int) -> int:
    """An amount in minor units, rounded half up."""
    return int(amount.scaleb(decimals).quantize(Decimal(1), rounding=ROUND_HALF_UP))


def _example(decimals: int) -> str:
    return f"12.{'5'.ljust(decimals, '0')}" if decimals else "12"
