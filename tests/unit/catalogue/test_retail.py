"""What a till writes: which rows are sales, and why the others are not."""

import subprocess
import sys
from decimal import Decimal
from pathlib import Path

import pytest

from orders.csvfile import UnusableFile
from shop.catalogue.importing.retail import COLUMNS, Reason, invoices, why_not

HEADER = ",".join(COLUMNS) + "\n"


def written(tmp_path: Path, rows: str, header: str = HEADER) -> Path:
    path = tmp_path / "sales.csv"
    path.write_text(header + rows)
    return path


@pytest.mark.parametrize(
    ("invoice", "sku", "quantity", "price", "reason"),
    [
        ("573744", "21314", 8, "2.1", None),
        ("573744", "DCGSSGIRL", 1, "3.29", None),
        ("573744", "85099B", 1, "0.001", None),
        ("C573744", "21314", -8, "2.1", Reason.CREDIT_NOTE),
        ("A563185", "B", 1, "11062.06", Reason.BOOK_ADJUSTMENT),
        ("573744", "POST", 1, "18", Reason.FEE),
        ("573744", "M", 1, "0", Reason.FEE),
        ("573744", "BANK CHARGES", 1, "15", Reason.FEE),
        ("573744", "GIFT_0001_20", 1, "16.67", Reason.FEE),
        ("573744", "23444", 1, "15", Reason.FEE),
        ("573744", "", 1, "1", Reason.NO_STOCK_CODE),
        ("573744", "21314/A", 1, "1", Reason.NO_STOCK_CODE),
        ("573744", "21314", -3, "0", Reason.NEGATIVE_QUANTITY),
        ("573744", "21314", 0, "1", Reason.ZERO_QUANTITY),
        ("573744", "21314", 3, "0", Reason.ZERO_PRICE),
        ("573744", "21314", 3, "-1", Reason.NEGATIVE_PRICE),
    ],
)
def test_why_a_row_cannot_be_ordered(
    invoice: str, sku: str, quantity: int, price: str, reason: Reason | None
) -> None:
    assert why_not(invoice, sku, quantity, Decimal(price)) is reason


def test_every_reason_has_words_for_people() -> None:
    assert all(reason.label for reason in Reason)


def test_an_invoice_has_all_its_rows_wherever_they_are(tmp_path: Path) -> None:
    path = written(
        tmp_path,
        "1,85123a,HEART,2,2011-11-01T08:16:00,2.5,17733,France\n"
        "C2,85123A,HEART,-1,2011-11-01T09:00:00,2.5,17733,France\n"
        "1, 85123A ,HEART,3,2011-11-01T08:16:00,2.5,17733,France\n"
        "1,POST,POSTAGE,1,2011-11-01T08:16:00,18,17733,France\n"
        "3,21314,,5,2011-11-01T10:00:00,0,,Spain\n"
        "4,POST,POSTAGE,1,2011-11-01T10:00:00,18,,Spain\n"
        "4,21314,POT,0,2011-11-01T10:00:00,1,,Spain\n",
    )
    first, credit, free, mixed = invoices(path)
    assert (first.number, first.customer, first.country) == ("1", "17733", "France")
    assert [row.line for row in first.rows] == [2, 4, 5]
    assert first.reason is None
    assert first.items() == {"85123A": 5}
    assert credit.reason is Reason.CREDIT_NOTE
    assert free.reason is Reason.ZERO_PRICE
    assert mixed.reason is Reason.NOTHING_TO_ORDER
    assert mixed.items() == {}


@pytest.mark.parametrize(
    ("row", "said"),
    [
        ("1,21314,POT,many,2011-11-01,1,,UK", 'Quantity "many" is not a whole number'),
        ("1,21314,POT,1.5,2011-11-01,1,,UK", 'Quantity "1.5" is not a whole number'),
        ("1,21314,POT,1,2011-11-01,dear,,UK", 'UnitPrice "dear" is not a number'),
        ("1,21314,POT,1,2011-11-01,1", "it has 6 columns instead of 8"),
        (",21314,POT,1,2011-11-01,1,,UK", "InvoiceNo is empty"),
        ("1,21314,P\x00T,1,2011-11-01,1,,UK", "Description holds control characters"),
    ],
)
def test_a_row_that_cannot_be_read_says_why(tmp_path: Path, row: str, said: str) -> None:
    [invoice] = invoices(written(tmp_path, row + "\n"))
    [found] = invoice.rows
    assert (found.line, found.reason, found.problem) == (2, Reason.UNREADABLE, said)


def test_other_columns_are_refused_with_what_was_expected(tmp_path: Path) -> None:
    with pytest.raises(UnusableFile, match=r"expected the columns InvoiceNo, StockCode.*found sku, name"):
        invoices(written(tmp_path, "", header="sku,name\n"))


def test_the_reader_needs_no_django() -> None:
    """The replay of a file's invoices uses it without the shop."""
    loaded = "import sys, shop.catalogue.importing.retail; sys.exit('django' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", loaded], check=False).returncode == 0
