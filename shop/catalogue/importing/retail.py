"""A retailer's sales as the Online Retail data has them: one sold line a row, an invoice over several rows.

Columns: InvoiceNo, StockCode, Description, Quantity, InvoiceDate, UnitPrice, CustomerID, Country. The data
(Chen et al. 2012, doi:10.1057/dbm.2012.17) is what a till writes: among the sales stand credit notes,
corrections of stock at a price of nothing, postage and bank charges. This module reads the rows and says of
each whether it can be ordered, and if not, why. The import of the catalogue and the replay of the invoices
share it, so that both mean the same by "a sale"; it needs neither Django nor the shop's settings.
"""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum
from pathlib import Path

from shop.catalogue.importing.amounts import to_decimal
from shop.catalogue.importing.drafts import CONTROL, SKU, UnusableFile, sku_of
from shop.catalogue.importing.table import Table, opened, positions

COLUMNS = (
    "InvoiceNo",
    "StockCode",
    "Description",
    "Quantity",
    "InvoiceDate",
    "UnitPrice",
    "CustomerID",
    "Country",
)

# Stock codes that name no goods: postage, carriage, discounts, fees, commissions, manual entries, tests. The
# codes in figures look like goods but are services ("Next Day Carriage", "High Resolution Image").
FEES = frozenset(
    [
        "POST",
        "DOT",
        "C2",
        "C3",
        "M",
        "D",
        "S",
        "B",
        "SP1002",
        "PADS",
        "CRUK",
        "AMAZONFEE",
        "ADJUST",
        "ADJUST2",
        "TEST001",
        "TEST002",
        "23444",
        "23702",
    ]
) | {"BANK CHARGES"}
VOUCHER = re.compile(r"(?:DCGS?_?)?GIFT(?:_|$).*")

_WHOLE_NUMBER = re.compile(r"-?[0-9]{1,9}")


class Reason(StrEnum):
    """Why a row, or a whole invoice, cannot be ordered."""

    UNREADABLE = "unreadable"
    CREDIT_NOTE = "credit_note"
    BOOK_ADJUSTMENT = "book_adjustment"
    FEE = "fee"
    NO_STOCK_CODE = "no_stock_code"
    NEGATIVE_QUANTITY = "negative_quantity"
    ZERO_QUANTITY = "zero_quantity"
    NEGATIVE_PRICE = "negative_price"
    ZERO_PRICE = "zero_price"
    NOTHING_TO_ORDER = "nothing_to_order"

    @property
    def label(self) -> str:
        return _LABELS[self]


_LABELS = {
    Reason.UNREADABLE: "the row cannot be read",
    Reason.CREDIT_NOTE: "a credit note",
    Reason.BOOK_ADJUSTMENT: "an adjustment of the books",
    Reason.FEE: "a fee, postage or another service, no goods",
    Reason.NO_STOCK_CODE: "no usable stock code",
    Reason.NEGATIVE_QUANTITY: "the quantity is negative",
    Reason.ZERO_QUANTITY: "the quantity is zero",
    Reason.NEGATIVE_PRICE: "the price is negative",
    Reason.ZERO_PRICE: "the price is zero",
    Reason.NOTHING_TO_ORDER: "no row of the invoice can be ordered",
}


@dataclass(frozen=True, slots=True)
class SalesRow:
    """One row. `reason` is None when it can be ordered; `problem` says more where it cannot be read.

    `sku` is the stock code in its normal form, as the catalogue has it. An unreadable row has quantity and
    price 0.
    """

    line: int
    invoice: str
    sku: str
    description: str
    quantity: int
    sold_at: str
    unit_price: Decimal
    customer: str
    country: str
    reason: Reason | None
    problem: str = ""


@dataclass(frozen=True, slots=True)
class Invoice:
    """All rows of one invoice, in the order of the file."""

    number: str
    customer: str
    country: str
    sold_at: str
    rows: tuple[SalesRow, ...]

    @property
    def reason(self) -> Reason | None:
        """Why nothing of it can be ordered; None if something can. The rows' own reason where they agree."""
        reasons = {row.reason for row in self.rows}
        if None in reasons:
            return None
        return reasons.pop() if len(reasons) == 1 else Reason.NOTHING_TO_ORDER

    def items(self) -> dict[str, int]:
        """What can be ordered of it: pieces by SKU; a SKU that stands in several rows is added up."""
        items: dict[str, int] = {}
        for row in self.rows:
            if row.reason is None:
                items[row.sku] = items.get(row.sku, 0) + row.quantity
        return items


def invoices(path: Path) -> list[Invoice]:
    """The invoices of a file, in its order. Raises UnusableFile for a file that is not of this format."""
    with opened(path) as table:
        found = rows(table)
        if found is None:
            raise UnusableFile(
                f"{path} is no sales data: expected the columns {', '.join(COLUMNS)}; "
                f"found {', '.join(table.columns)}."
            )
        return list(grouped(found))


def grouped(sales: Iterable[SalesRow]) -> Iterator[Invoice]:
    """Rows by invoice. Nothing says that an invoice's rows stand together, so all are read first."""
    by_number: dict[str, list[SalesRow]] = {}
    for row in sales:
        by_number.setdefault(row.invoice, []).append(row)
    for number, own in by_number.items():
        first = own[0]
        yield Invoice(number, first.customer, first.country, first.sold_at, tuple(own))


def rows(table: Table) -> Iterator[SalesRow] | None:
    """Every row of an open file with its reason; None if the columns are not this format's."""
    order = positions(table.columns, COLUMNS)
    return None if order is None else _rows(table, order)


def _rows(table: Table, order: list[int]) -> Iterator[SalesRow]:
    for line, cells in table.rows:
        if len(cells) != len(COLUMNS):
            problem = f"it has {len(cells)} columns instead of {len(COLUMNS)}"
            yield _unreadable(line, ["", "", "", "", "", "", "", ""], problem)
        else:
            yield _row(line, [cells[at].strip() for at in order])


def _row(line: int, cells: list[str]) -> SalesRow:
    invoice, code, description, quantity_text, sold_at, price_text, customer, country = cells
    if not _WHOLE_NUMBER.fullmatch(quantity_text):
        return _unreadable(line, cells, f'Quantity "{quantity_text}" is not a whole number')
    try:
        price = to_decimal(price_text)
    except ValueError as problem:
        return _unreadable(line, cells, f"UnitPrice {problem}")
    if not invoice:
        return _unreadable(line, cells, "InvoiceNo is empty")
    if CONTROL.search(description):
        return _unreadable(line, cells, "Description holds control characters")
    sku, quantity = sku_of(code), int(quantity_text)
    return SalesRow(
        line=line,
        invoice=invoice,
        sku=sku,
        description=description,
        quantity=quantity,
        sold_at=sold_at,
        unit_price=price,
        customer=customer,
        country=country,
        reason=why_not(invoice, sku, quantity, price),
    )


def why_not(invoice: str, sku: str, quantity: int, price: Decimal) -> Reason | None:
    """Why such a row cannot be ordered; None if it can. `sku` in its normal form."""
    if invoice[:1] in ("C", "c"):
        return Reason.CREDIT_NOTE
    if invoice[:1] in ("A", "a"):
        return Reason.BOOK_ADJUSTMENT
    if sku in FEES or VOUCHER.fullmatch(sku):
        return Reason.FEE
    if not SKU.fullmatch(sku):
        return Reason.NO_STOCK_CODE
    if quantity <= 0:
        return Reason.NEGATIVE_QUANTITY if quantity else Reason.ZERO_QUANTITY
    if price <= 0:
        return Reason.NEGATIVE_PRICE if price else Reason.ZERO_PRICE
    return None


def _unreadable(line: int, cells: list[str], problem: str) -> SalesRow:
    invoice, code, description, _, sold_at, _, customer, country = cells
    return SalesRow(
        line=line,
        invoice=invoice,
        sku=sku_of(code),
        description=description,
        quantity=0,
        sold_at=sold_at,
        unit_price=Decimal(0),
        customer=customer,
        country=country,
        reason=Reason.UNREADABLE,
        problem=problem,
    )
