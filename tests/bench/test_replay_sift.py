"""What becomes of a till's invoices: orders, and refusals counted by reason."""

from collections.abc import Collection
from pathlib import Path

import orjson
import pytest

from bench.load import Purchase
from bench.replay import Sift
from shop.catalogue.importing.retail import invoices

HEADER = "InvoiceNo,StockCode,Description,Quantity,InvoiceDate,UnitPrice,CustomerID,Country\n"


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "sales.csv"


def sift(
    file: Path, *rows: str, on_sale: Collection[str] = ("85123A", "22423")
) -> tuple[Sift, list[Purchase]]:
    file.write_text(HEADER + "\n".join(rows))
    made = Sift(lambda name: f"run-{name}", on_sale)
    return made, made.purchases(invoices(file))


def test_an_invoice_is_an_order_with_each_product_once(file: Path) -> None:
    made, [purchase] = sift(
        file,
        "536365,85123A,WHITE HEART,6,2011-11-01T08:26,2.55,17850,France",
        "536365,22423,CAKE STAND,1,2011-11-01T08:26,12.75,17850,France",
        "536365,85123a,WHITE HEART,2,2011-11-01T08:26,2.55,17850,France",
    )
    body = orjson.loads(purchase.body)
    assert purchase.key == "run-536365"
    assert body["items"] == [{"sku": "85123A", "quantity": 8}, {"sku": "22423", "quantity": 1}]
    assert body["shipping_address"]["country"] == "FR"
    assert not made.refused
    assert not made.lines


def test_a_customer_is_the_same_person_on_every_invoice(file: Path) -> None:
    _, [first, second, other] = sift(
        file,
        "1,22423,CAKE STAND,1,2011-11-01T08:26,12.75,17850,United Kingdom",
        "2,22423,CAKE STAND,1,2011-11-02T08:26,12.75,17850,United Kingdom",
        "3,22423,CAKE STAND,1,2011-11-02T08:26,12.75,,United Kingdom",
    )
    emails = [orjson.loads(one.body)["email"] for one in (first, second, other)]
    assert emails[0] == emails[1] != emails[2]


def test_lines_that_cannot_be_ordered_are_left_out_and_counted(file: Path) -> None:
    made, [purchase] = sift(
        file,
        "1,22423,CAKE STAND,1,2011-11-01T08:26,12.75,17850,EIRE",
        "1,POST,POSTAGE,1,2011-11-01T08:26,18.00,17850,EIRE",
        "1,85123A,damaged,-5,2011-11-01T08:26,0,17850,EIRE",
        "1,85123A,sample,5,2011-11-01T08:26,0,17850,EIRE",
        "1,99999,NEVER IMPORTED,5,2011-11-01T08:26,1.00,17850,EIRE",
    )
    assert orjson.loads(purchase.body)["items"] == [{"sku": "22423", "quantity": 1}]
    assert made.lines == {"fee": 1, "negative_quantity": 1, "zero_price": 1, "not_on_sale": 1}
    assert not made.refused


def test_invoices_of_which_nothing_is_left_are_refused_by_reason(file: Path) -> None:
    made, found = sift(
        file,
        "C1,22423,CAKE STAND,-1,2011-11-01T08:26,12.75,17850,Spain",
        "A2,B,Adjust bad debt,1,2011-11-01T08:26,11062.06,,Spain",
        "3,POST,POSTAGE,1,2011-11-01T08:26,18.00,17850,Spain",
        "4,22423,,-3,2011-11-01T08:26,0,,Spain",
        "5,22423,,3,2011-11-01T08:26,0,,Spain",
        "6,22423,,3,2011-11-01T08:26,0,,Spain",
        "6,POST,POSTAGE,1,2011-11-01T08:26,18.00,,Spain",
        "7,99999,NEVER IMPORTED,5,2011-11-01T08:26,1.00,17850,Spain",
    )
    assert found == []
    assert made.refused == {
        "credit_note": 1,
        "book_adjustment": 1,
        "fee": 1,
        "negative_quantity": 1,
        "zero_price": 1,
        "nothing_to_order": 1,
        "not_on_sale": 1,
    }
