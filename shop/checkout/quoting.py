"""What a list of products costs: the catalogue's answer to "these SKUs, this many of each".

Names, prices and tax rates come from here alone, never from the client. It is one query however long the list, written
as SQL because every order passes here: the ORM takes several times as long to build the statement as PostgreSQL to
answer it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import LiteralString

import orjson
from django.conf import settings

from orders import sql
from orders.money import tax_within
from orders.payments import amounts
from orders.placing import LineDraft
from orders.states import PaymentMethod

MAX_LINES = 1_000
MAX_QUANTITY = 10_000
MAX_TOTAL_MINOR = amounts.MOST

# What is on sale of these SKUs, with what the lines of an order are made of.
_PRODUCTS: LiteralString = """
SELECT sku, name, price_minor, tax_rate_bp, currency FROM catalogue_product
WHERE sku = ANY(%(skus)s) AND active
"""


@dataclass(frozen=True, slots=True)
class Quote:
    """The lines of an order to be, a SKU at most once, in the order asked for; amounts gross, in the minor unit."""

    lines: list[LineDraft]
    total_minor: int
    tax_minor: int  # the tax within the total, rounded line by line
    currency: str


class QuoteError(Exception):
    """Some of it cannot be sold. `problems` maps the index of an item to the reason; `reason` speaks of the
    whole and is empty when only single items are wrong."""

    def __init__(self, problems: Mapping[int, str], reason: str = "") -> None:
        self.problems = dict(problems)
        self.reason = reason
        super().__init__("; ".join([*([reason] if reason else []), *self.problems.values()]))


def quote(items: Sequence[tuple[str, int]]) -> Quote:
    """Price `items`, pairs of SKU (however capitalised) and quantity; the same SKU twice makes one line.

    Raises QuoteError.
    """
    if not items:
        raise QuoteError({}, "An order needs at least one product.")
    quantities: dict[str, int] = {}
    problems: dict[int, str] = {}
    wanted = [(sku.upper(), quantity) for sku, quantity in items]  # the catalogue keeps them in capitals
    for index, (sku, quantity) in enumerate(wanted):
        quantities[sku] = quantities.get(sku, 0) + quantity
        if quantity < 1 or quantities[sku] > MAX_QUANTITY:
            problems[index] = f"One order takes 1 to {MAX_QUANTITY:,} pieces of a product."
    if len(quantities) > MAX_LINES:
        raise QuoteError(
            problems, f"One order takes up to {MAX_LINES:,} products; these are {len(quantities):,}."
        )

    products = {row[0]: row for row in sql.rows(_PRODUCTS, {"skus": list(quantities)})}
    lines = []
    total = tax = 0
    for sku, quantity in quantities.items():
        if (product := products.get(sku)) is None or product[4] != settings.CURRENCY:
            continue
        _, name, price, rate, _ = product
        lines.append(LineDraft(sku, name, quantity, price, rate))
        total += quantity * price
        tax += tax_within(quantity * price, rate)
    if len(lines) < len(quantities):
        for index, (sku, _) in enumerate(wanted):
            if sku not in products:
                problems.setdefault(index, "There is no such product on sale.")
            elif products[sku][4] != settings.CURRENCY:
                problems.setdefault(index, f"This product is not sold in {settings.CURRENCY}.")
    reason = "" if total <= MAX_TOTAL_MINOR else "The total is more than one payment can be; split the order."
    if problems or reason:
        raise QuoteError(problems, reason)
    return Quote(lines, total, tax, settings.CURRENCY)


def check_payment(quote: Quote, method: str) -> None:
    """Raise QuoteError, in words, if the payment provider cannot charge a card with the total."""
    if method == PaymentMethod.CARD and (
        problem := amounts.counting(quote.currency).problem(quote.total_minor)
    ):
        raise QuoteError({}, problem)


def fingerprint(payload: object) -> str:
    """SHA-256, in hexadecimal, of `payload` as canonical JSON: it tells whether two requests ask for the same."""
    return sha256(orjson.dumps(payload, option=orjson.OPT_SORT_KEYS)).hexdigest()
