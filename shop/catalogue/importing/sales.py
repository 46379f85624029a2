"""Makes products from a retailer's sales (retail.py reads the rows): one for each stock code that was sold.

- SKU: the stock code in capitals; "85123a" and "85123A" are the same.
- Name: the most frequent description that names goods, in readable capitals.
- Price: the most frequent unit price, taken as an amount in the shop's currency; of two equally frequent the lower.
- Category: by the table of words in naming.py.
- Tax: 20 %, the rate of the country that the data is from. Description and picture: none.
- Stock: only when asked for, all that the file sells of it; of every Nth product only half of that, so that products
  really sell out.

Of a product that exists, only name, price and currency are changed: the rest is not in the data, and somebody may have
written it since.

Such a file is never clean, so there are two kinds of refused rows. Fees, rows without a usable stock code and codes
that were never really sold are in every till: they are listed and do not stop the file. A row that cannot be read (a
word instead of a number) means that the file is damaged, and stops it, and so does an impossible level of stock. Rows
that are not a sale (credit notes, corrections of stock) are counted by reason and not listed: they are right, but say
nothing about a catalogue.
"""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field

from orders.csvfile import Table
from shop.catalogue.importing import retail
from shop.catalogue.importing.amounts import rounded_to_minor
from shop.catalogue.importing.drafts import ProductDraft, Reading, Refused
from shop.catalogue.importing.naming import category_of, is_goods, name_of
from shop.catalogue.importing.native import LENGTHS
from shop.catalogue.importing.retail import Reason, SalesRow

FORMAT = "sales"
UPDATES = ("name", "price_minor", "currency")
TAX_RATE_BP = 2000

_LISTED = {Reason.UNREADABLE, Reason.FEE, Reason.NO_STOCK_CODE}


@dataclass(slots=True)
class _Sold:
    """What a file says of one stock code."""

    first_line: int
    quantity: int = 0
    descriptions: Counter[str] = field(default_factory=Counter)
    prices: Counter[int] = field(default_factory=Counter)


def read(table: Table, *, decimals: int, stock_from_sales: bool, short_every: int) -> Reading | None:
    """Read the rows and make products of them; None if the columns are not this format's. With a `short_every` of 20,
    the 20th, 40th, … product by SKU gets half of what was sold as its stock; with 0 none does."""
    rows = retail.rows(table)
    if rows is None:
        return None
    reading = Reading(format=FORMAT, updates=UPDATES)
    sold = _sift(rows, reading, decimals)
    for sku in sorted(sold):
        found = sold[sku]
        name = _most_frequent(found.descriptions)
        if name is None or not found.prices:
            reason = "never sold at a price under a description of goods"
            reading.refused.append(Refused(found.first_line, sku, reason, stops=False))
            continue
        if len(shown := name_of(name)) > LENGTHS["name"]:
            reason = f"its description has {len(shown)} characters, {LENGTHS['name']} is the most"
            reading.refused.append(Refused(found.first_line, sku, reason, stops=False))
            continue
        # Of equally frequent prices the lowest, so that the order of rows does not decide.
        price = min(found.prices, key=lambda minor: (-found.prices[minor], minor))
        nth = len(reading.drafts) + 1
        short = short_every > 0 and nth % short_every == 0
        reading.drafts.append(
            ProductDraft(
                line=found.first_line,
                sku=sku,
                name=shown,
                description="",
                category=category_of(name),
                price_minor=price,
                tax_rate_bp=TAX_RATE_BP,
                stock=(found.quantity // 2 if short else found.quantity) if stock_from_sales else None,
                picture="",
            )
        )
    reading.refused.sort(key=lambda refused: refused.line)
    return reading


def _sift(rows: Iterable[SalesRow], reading: Reading, decimals: int) -> dict[str, _Sold]:
    """The sales added up by SKU; other rows go into the lists of the reading."""
    sold: dict[str, _Sold] = {}
    for row in rows:
        reading.rows += 1
        if row.reason in _LISTED:
            reason = row.problem or row.reason.label
            reading.refused.append(Refused(row.line, row.sku, reason, stops=row.reason is Reason.UNREADABLE))
            continue
        if row.reason is not None:
            reading.not_a_sale[row.reason] += 1
            continue
        found = sold.setdefault(row.sku, _Sold(first_line=row.line))
        found.quantity += row.quantity
        if is_goods(row.description):
            found.descriptions[" ".join(row.description.split())] += 1
        if price := rounded_to_minor(row.unit_price, decimals):
            found.prices[price] += 1
    return sold


def _most_frequent(descriptions: Counter[str]) -> str | None:
    return min(descriptions, key=lambda text: (-descriptions[text], text), default=None)
