"""A retailer's sales in the format of the Online Retail data: one sold line a row, an invoice over several rows.

The data (Chen et al. 2012, doi:10.1057/dbm.2012.17) is what a till writes: between the sales there are credit notes,
corrections of stock at a price of zero, postage and bank charges. This module reads the rows and says of each whether
it can be ordered, and if not, why. The import of the catalogue and the replay of the invoices share it, so that both
mean the same by "a sale". It needs neither Django nor the shop's settings.
"""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum
from pathlib import Path

from orders.csvfile import Record, Table, UnusableFile, opened
from orders.skus import SKU, sku_of
from shop.catalogue.importing.amounts import to_decimal
from shop.catalogue.importing.drafts import CONTROL

COLUMNS = (
    *("InvoiceNo", "StockCode", "Description", "Quantity"),
    *("InvoiceDate", "UnitPrice", "CustomerID", "Country"),
)

# Stock codes that are not goods: postage, carriage, discounts, fees, commissions, manual entries, tests. The codes in
# figures look like goods but are services ("Next Day Carriage", "High Resolution Image").
FEES = frozenset(
    {"POST", "DOT", "C2", "C3", "M", "D", "S", "B", "SP1002", "PADS", "CRUK", "AMAZONFEE", "BANK CHARGES"}
    | {"ADJUST", "ADJUST2", "TEST001", "TEST002", "23444", "23702"}
)
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
    """One row. `reason` is None when it can be ordered; `problem` says why it cannot be read, with quantity and price
    0. `sku` is the stock code in the normal form that the catalogue uses."""

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
        """Why nothing of it can be ordered; None if something can. If all rows have the same reason, it is that."""
        reasons = {row.reason for row in self.rows}
        if None in reasons:
            return None
        return reasons.pop() if len(reasons) == 1 else Reason.NOTHING_TO_ORDER

    def items(self) -> dict[str, int]:
        """What can be ordered of it: pieces by SKU, added up over its rows."""
        items: dict[str, int] = {}
        for row in self.rows:
            if row.reason is None:
                items[row.sku] = items.get(row.sku, 0) + row.quantity
        return items


def invoices(path: Path) -> list[Invoice]:
    """The invoices of a file, in its order. Raises UnusableFile for a file in another format."""
    table = opened(path)
    found = rows(table)
    if found is None:
        raise UnusableFile(
            f"{path} is no sales data: expected the columns {', '.join(COLUMNS)}; "
            f"found {', '.join(table.columns)}."
        )
    return list(grouped(found))


def grouped(sales: Iterable[SalesRow]) -> Iterator[Invoice]:
    """Rows by invoice. The rows of an invoice need not stand together, so all are read first."""
    by_number: dict[str, list[SalesRow]] = {}
    for row in sales:
        by_number.setdefault(row.invoice, []).append(row)
    for number, own in by_number.items():
        first = own[0]
        yield Invoice(number, first.customer, first.country, first.sold_at, tuple(own))


def rows(table: Table) -> Iterator[SalesRow] | None:
    """Every row of an open file with its reason; None if the columns are not this format's."""
    records = table.records(COLUMNS, ("Quantity", "UnitPrice"))
    return None if records is None else map(_row, records)


def _row(record: Record) -> SalesRow:
    invoice, code, description, _, sold_at, _, customer, country = record.values.values()
    sku, quantity, price, problem = sku_of(code), 0, Decimal(0), record.problem
    reason: Reason | None = Reason.UNREADABLE
    if not problem:
        try:
            quantity, price = _amounts(record.values)
            reason = why_not(invoice, sku, quantity, price)
        except ValueError as error:
            problem = str(error)
    return SalesRow(
        line=record.line,
        invoice=invoice,
        sku=sku,
        description=description,
        quantity=quantity,
        sold_at=sold_at,
        unit_price=price,
        customer=customer,
        country=country,
        reason=reason,
        problem=problem,
    )


def _amounts(values: dict[str, str]) -> tuple[int, Decimal]:
    """Quantity and unit price. Raises ValueError for a row that cannot be read."""
    if not _WHOLE_NUMBER.fullmatch(values["Quantity"]):
        raise ValueError(f'Quantity "{values["Quantity"]}" is not a whole number')
    try:
        price = to_decimal(values["UnitPrice"])
    except ValueError as problem:
        raise ValueError(f"UnitPrice {problem}") from None
    if not values["InvoiceNo"]:
        raise ValueError("InvoiceNo is empty")
    if CONTROL.search(values["Description"]):
        raise ValueError("Description holds control characters")
    return int(values["Quantity"]), price


def why_not(invoice: str, sku: str, quantity: int, price: Decimal) -> Reason | None:
    """Why such a row cannot be ordered; None if it can. `sku` is in its normal form."""
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
