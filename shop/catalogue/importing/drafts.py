"""What reading a file gives: products to write, and rows that were refused with the reason for people."""

import re
from collections import Counter
from dataclasses import dataclass, field

# A SKU stands in the path of its page, so it is made of what needs no quoting there.
SKU = re.compile(r"[A-Z0-9][A-Z0-9._-]{0,39}")
# Control characters other than tab and line ends: PostgreSQL refuses NUL, and the others belong in no text of
# a shop.
CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]")


def sku_of(text: str) -> str:
    """The normal form of a SKU or stock code: capitals, no space around, single spaces within."""
    return " ".join(text.split()).upper()


class UnusableFile(Exception):
    """The file as a whole cannot be read; the message says what is wrong and what was expected."""


@dataclass(frozen=True, slots=True)
class ProductDraft:
    """A product as a file gives it. `stock` is the total ever stocked; None when the file does not say."""

    line: int
    sku: str
    name: str
    description: str
    category: str
    price_minor: int
    tax_rate_bp: int
    stock: int | None
    picture: str


@dataclass(frozen=True, slots=True)
class Refused:
    """A row that was not taken. `stops` tells whether it keeps the rest of its file out as well."""

    line: int
    sku: str
    reason: str
    stops: bool = True


@dataclass(slots=True)
class Reading:
    """Everything that was read from one file.

    `updates` names the columns of a product that the format speaks of: only these are changed on a product
    that exists already, the others only fill in a new one.
    """

    format: str
    updates: tuple[str, ...]
    rows: int = 0
    drafts: list[ProductDraft] = field(default_factory=list)
    refused: list[Refused] = field(default_factory=list)
    not_a_sale: Counter[str] = field(default_factory=Counter)
