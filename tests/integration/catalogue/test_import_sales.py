"""Importing a retailer's sales: products are made from what was really sold."""

from io import StringIO

import pytest
from django.core.management import call_command

from orders.inventory import on_hand
from orders.models import StockItem
from shop.catalogue.importing.importer import FileRefused, Options, import_file
from shop.catalogue.importing.retail import invoices
from shop.catalogue.models import Product
from tests.integration.catalogue.conftest import Written

pytestmark = pytest.mark.django_db

# 2 to 12
SALES = """
1,85123a,WHITE HANGING HEART T-LIGHT HOLDER,6,2.95
2,85123A,WHITE HANGING HEART T-LIGHT HOLDER,4,2.95
2,85123A,WHITE HEART,1,3.35
3,85123A,wrongly marked carton 22804,50,0
3,POST,POSTAGE,1,18
C4,85123A,WHITE HANGING HEART T-LIGHT HOLDER,-2,2.95
5,21314,SMALL GLASS HEART TRINKET POT,9,2.1
5,46000U,check,10,0
6,22000,John Lewis,3,1.5
7,21314,damaged,-40,0
8,21314,SMALL GLASS HEART TRINKET POT,1,2.1
"""


def test_products_are_made_from_the_sales(sales_csv: Written) -> None:
    report = import_file(sales_csv(SALES), Options())
    assert (report.format, report.rows, report.created) == ("sales", 11, 2)
    heart = Product.objects.get(sku="85123A")
    assert (heart.name, heart.price_minor) == ("White Hanging Heart T-Light Holder", 295)
    assert heart.category.name == "Candles & Lights"
    assert heart.tax_rate_bp == 2000
    assert [(row.line, row.sku, row.reason) for row in report.refused] == [
        (6, "POST", "a fee, postage or another service, no goods"),
        (10, "22000", "never sold at a price under a description of goods"),
    ]
    assert report.not_a_sale == {"zero_price": 2, "credit_note": 1, "negative_quantity": 1}
    assert on_hand(["85123A", "21314"]) == {"85123A": 0, "21314": 0}


def test_a_second_import_changes_nothing_and_keeps_what_people_wrote(sales_csv: Written) -> None:
    path = sales_csv(SALES)
    import_file(path, Options(stock_from_sales=True))
    Product.objects.filter(sku="21314").update(description="Made in Bath.", picture="shop/pictures/vase.svg")
    report = import_file(path, Options(stock_from_sales=True))
    assert (report.created, report.updated, report.unchanged, report.stock_changed) == (0, 0, 2, 0)
    assert Product.objects.get(sku="21314").description == "Made in Bath."


def test_stock_from_sales_is_what_the_invoices_order(sales_csv: Written) -> None:
    path = sales_csv(SALES)
    import_file(path, Options(stock_from_sales=True))
    ordered: dict[str, int] = {}
    for invoice in invoices(path):
        for sku, quantity in invoice.items().items():
            ordered[sku] = ordered.get(sku, 0) + quantity
    assert ordered == {**on_hand(["85123A", "21314"]), "22000": 3}
    assert on_hand(["85123A", "21314"]) == {"85123A": 11, "21314": 10}


def test_every_nth_product_has_only_half_its_stock(sales_csv: Written) -> None:
    rows = "".join(f"1,1000{at},LARGE BOX,{10 + at},1\n" for at in range(7))
    import_file(sales_csv(rows), Options(stock_from_sales=True, short_every=3))
    stocked = StockItem.objects.order_by("sku").values_list("stocked", flat=True)
    assert list(stocked) == [10, 11, 6, 13, 14, 7, 16]


def test_the_price_is_the_most_frequent_one_and_of_equals_the_lower(sales_csv: Written) -> None:
    rows = "1,10000,BOX,1,5\n2,10000,BOX,1,3\n3,10000,BOX,900,9\n4,10000,BOX,1,5\n5,10000,BOX,1,3\n"
    import_file(sales_csv(rows), Options())
    assert Product.objects.get().price_minor == 300


def test_a_price_that_rounds_to_zero_does_not_count(sales_csv: Written) -> None:
    report = import_file(sales_csv("1,10000,BOX,1,0.001\n"), Options())
    assert report.created == 0
    assert [row.sku for row in report.refused] == ["10000"]


def test_a_row_that_cannot_be_read_means_a_damaged_file(sales_csv: Written) -> None:
    path = sales_csv(SALES + "9,21314,POT,many,1\n")
    with pytest.raises(FileRefused) as refused:
        import_file(path, Options())
    assert [(row.line, row.reason) for row in refused.value.report.refused] == [
        (13, 'Quantity "many" is not a whole number')
    ]
    assert not Product.objects.exists()
    assert import_file(path, Options(partial=True)).created == 2


def test_the_command_counts_what_is_not_a_sale(sales_csv: Written) -> None:
    said = StringIO()
    call_command("import_catalogue", sales_csv(SALES), stock_from_sales=True, stdout=said)
    assert (
        "2 created, 0 updated, 0 unchanged; stock changed for 2; 11 rows read, 2 refused." in said.getvalue()
    )
    assert "not a sale: 2 × the price is zero" in said.getvalue()
