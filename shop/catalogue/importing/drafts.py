"""What reading a file returns: products to write, and rows that were refused, with the reason for people."""

import re
from collections import Counter
from dataclasses import dataclass, field

# Control characters except tab and line ends: PostgreSQL refuses NUL, and no text of a shop has the others.
CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]")


@dataclass(frozen=True, slots=True)
class ProductDraft:
    """A product as a file describes it. `stock` is the total ever stocked; None when the file does not say."""

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
    """A row that was not taken. `stops` tells whether it keeps the rest of its file out too."""

    line: int
    sku: str
    reason: str
    stops: bool = True


@dataclass(slots=True)
class Reading:
    """Everything that was read from one file.

    `updates` are the columns of a product that the format describes: only these are changed on a product that exists;
    the others are for new products.
    """

    format: str
    updates: tuple[str, ...]
    rows: int = 0
    drafts: list[ProductDraft] = field(default_factory=list)
    refused: list[Refused] = field(default_factory=list)
    not_a_sale: Counter[str] = field(default_factory=Counter)
