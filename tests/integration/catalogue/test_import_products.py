"""Importing our own CSV: repeating changes nothing, and it is all or nothing."""

import json
from concurrent.futures import ThreadPoolExecutor
from io import StringIO
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command
from django.db import connection
from django.test.utils import CaptureQueriesContext
from pytest_django import Settings

from orders.csvfile import UnusableFile
from orders.inventory import on_hand
from orders.models import StockItem, StockMovement
from shop.catalogue.importing.importer import FileRefused, Options, Report, import_file
from shop.catalogue.models import Category, Product
from tests.integration.catalogue.conftest import Written

pytestmark = pytest.mark.django_db

KETTLE = "KE-1,Kettle,Boils.,Kitchen,38.00,20,5,shop/pictures/kettle.svg\n"
BOOK = "bo-1,Book,,Kids,11.99,0,,\n"


def counts(report: Report) -> tuple[int, int, int, int]:
    return report.created, report.updated, report.unchanged, report.stock_changed


def test_products_categories_and_stock_are_created(products_csv: Written) -> None:
    report = import_file(products_csv(KETTLE + BOOK), Options())
    assert counts(report) == (2, 0, 0, 2)
    kettle, book = Product.objects.order_by("-sku").filter(active=True)
    assert (kettle.sku, kettle.name, kettle.description) == ("KE-1", "Kettle", "Boils.")
    assert (kettle.price_minor, kettle.currency, kettle.tax_rate_bp) == (3800, "GBP", 2000)
    assert kettle.picture_path == "shop/pictures/kettle.svg"
    assert (book.sku, book.price_minor, book.tax_rate_bp) == ("BO-1", 1199, 0)
    assert book.picture_path.startswith("shop/pictures/placeholder-")
    assert [(c.name, c.slug, c.position) for c in Category.objects.all()] == [
        ("Kitchen", "kitchen", 1),
        ("Kids", "kids", 2),
    ]
    assert on_hand(["KE-1", "BO-1"]) == {"KE-1": 5, "BO-1": 0}


def test_a_second_import_writes_nothing_and_says_so(products_csv: Written) -> None:
    path = products_csv(KETTLE + BOOK)
    import_file(path, Options())
    before = list(StockMovement.objects.values_list("id", flat=True))
    with connection.cursor() as cursor:
        cursor.execute("SELECT xmin, ctid FROM catalogue_product ORDER BY sku")
        rows = cursor.fetchall()
        assert counts(import_file(path, Options())) == (0, 0, 2, 0)
        cursor.execute("SELECT xmin, ctid FROM catalogue_product ORDER BY sku")
        assert cursor.fetchall() == rows
    assert list(StockMovement.objects.values_list("id", flat=True)) == before


def test_only_differences_are_written(products_csv: Written) -> None:
    import_file(products_csv(KETTLE + BOOK), Options())
    Product.objects.filter(sku="BO-1").update(active=False)
    report = import_file(products_csv(KETTLE.replace("38.00", "35") + BOOK), Options())
    assert counts(report) == (0, 1, 1, 0)
    assert Product.objects.get(sku="KE-1").price_minor == 3500
    assert not Product.objects.get(sku="BO-1").active


def test_stock_counts_what_ever_came_in_and_empty_changes_nothing(products_csv: Written) -> None:
    import_file(products_csv(KETTLE), Options())
    StockItem.objects.filter(sku="KE-1").update(on_hand=2, sold=3)
    assert counts(import_file(products_csv(KETTLE), Options())) == (0, 0, 1, 0)
    assert counts(import_file(products_csv(KETTLE.replace(",5,", ",,")), Options())) == (0, 0, 1, 0)
    assert on_hand(["KE-1"]) == {"KE-1": 2}
    assert counts(import_file(products_csv(KETTLE.replace(",5,", ",15,")), Options())) == (0, 0, 1, 1)
    assert on_hand(["KE-1"]) == {"KE-1": 12}


BAD_ROWS = (
    '"",No SKU,,Kitchen,1.00,20,1,\n'  # 2
    "a/b,Slash,,Kitchen,1.00,20,1,\n"  # 3
    + KETTLE  # 4
    + "ke-1,Again,,Kitchen,1.00,20,1,\n"  # 5
    "C-1,,,Kitchen,1.00,20,1,\n"  # 6
    "C-2,No category,,,1.00,20,1,\n"  # 7
    "C-3,Free,,Kitchen,0,20,1,\n"  # 8
    "C-4,Dear,,Kitchen,£1.00,20,1,\n"  # 9
    "C-5,Third of a penny,,Kitchen,0.333,20,1,\n"  # 10
    "C-6,Taxed twice,,Kitchen,1.00,100.01,1,\n"  # 11
    "C-7,Half,,Kitchen,1.00,20,0.5,\n"  # 12
    "C-8,Less,,Kitchen,1.00,20,-1,\n"  # 13
    "C-9,No file,,Kitchen,1.00,20,1,shop/pictures/unicorn.svg\n"  # 14
    "D-1,Climber,,Kitchen,1.00,20,1,../../settings.py\n"  # 15
    "D-2,Short row,,Kitchen\n"  # 16
    "D-3,N\x01l,,Kitchen,1.00,20,1,\n"  # 17
    "D-4,Nowhere,,厨房,1.00,20,1,\n"  # 18
    f"D-5,{'long' * 51},,Kitchen,1.00,20,1,\n"  # 19
)
REASONS = {
    2: "is no SKU",
    3: "is no SKU",
    5: "stands in line 4 already",
    6: "name is empty",
    7: "category is empty",
    8: 'price "0" is too low',
    9: "is not a number such as 12.50",
    10: "more than 2 decimals",
    11: 'tax_rate "100.01" is too high',
    12: "more than 0 decimals",
    13: "is not a number such as 12",
    14: "there is no static file",
    15: "there is no static file",
    16: "it has 4 columns instead of 8",
    17: "name holds control characters",
    18: "no address can be made",
    19: "name has 204 characters",
}


def test_one_bad_row_keeps_the_file_out_and_every_bad_row_is_named(products_csv: Written) -> None:
    with pytest.raises(FileRefused) as refused:
        import_file(products_csv(BAD_ROWS), Options())
    found = {row.line: row.reason for row in refused.value.report.refused}
    assert found.keys() == REASONS.keys()
    assert all(REASONS[line] in reason for line, reason in found.items())
    assert not Product.objects.exists()
    assert not Category.objects.exists()
    assert not StockItem.objects.exists()


def test_partial_takes_what_is_right(products_csv: Written) -> None:
    report = import_file(products_csv(BAD_ROWS), Options(partial=True))
    assert counts(report) == (1, 0, 0, 1)
    assert [row.line for row in report.refused] == sorted(REASONS)
    assert Product.objects.get().sku == "KE-1"


def test_stock_below_what_is_sold_is_refused(products_csv: Written) -> None:
    import_file(products_csv(KETTLE + BOOK), Options())
    StockItem.objects.filter(sku="KE-1").update(on_hand=1, reserved=1, sold=3)
    lower = products_csv(
        KETTLE.replace(",5,", ",3,").replace("38.00", "30.00") + BOOK.replace("Book", "Tome")
    )
    with pytest.raises(FileRefused) as refused:
        import_file(lower, Options())
    [row] = refused.value.report.refused
    assert (row.line, row.sku) == (2, "KE-1")
    assert "already reserved or sold" in row.reason
    assert counts(import_file(lower, Options(partial=True))) == (0, 1, 0, 0)
    assert Product.objects.get(sku="KE-1").price_minor == 3800
    assert Product.objects.get(sku="BO-1").name == "Tome"


def test_a_dry_run_counts_and_writes_nothing(products_csv: Written) -> None:
    report = import_file(products_csv(KETTLE + BOOK), Options(dry_run=True))
    assert counts(report) == (2, 0, 0, 2)
    assert not report.written
    assert not Product.objects.exists()
    assert not Category.objects.exists()
    assert not StockItem.objects.exists()


def test_the_number_of_statements_does_not_depend_on_the_number_of_rows(products_csv: Written) -> None:
    def statements(rows: int) -> int:
        with CaptureQueriesContext(connection) as captured:
            import_file(
                products_csv("".join(f"N-{rows}-{at},Name,,Kitchen,1.00,20,{at},\n" for at in range(rows))),
                Options(),
            )
        return len(captured)

    statements(1)  # the first one makes the category
    assert statements(2) == statements(2000)


def test_categories_are_recognised_by_name_or_address_in_any_case(products_csv: Written) -> None:
    Category.objects.create(name="Cooking & Baking", slug="kitchen", position=7)
    rows = "".join(
        f"A-{at},A,,{category},1,20,,\n"
        for at, category in enumerate(["kitchen", "COOKING & BAKING", "New Things", "new things"])
    )
    import_file(products_csv(rows), Options())
    assert list(Category.objects.values_list("name", "position")) == [
        ("Cooking & Baking", 7),
        ("New Things", 8),
    ]


def test_prices_are_read_in_the_minor_unit_of_the_shops_currency(
    products_csv: Written, settings: Settings
) -> None:
    settings.CURRENCY = "JPY"
    import_file(products_csv("A-1,A,,Kitchen,1200,10,,\n"), Options())
    assert Product.objects.values_list("price_minor", "currency").get() == (1200, "JPY")
    settings.CURRENCY = "KWD"
    import_file(products_csv("A-1,A,,Kitchen,1.205,10,,\n"), Options())
    assert Product.objects.values_list("price_minor", "currency").get() == (1205, "KWD")


def test_a_file_in_neither_format_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "other.csv"
    path.write_text("sku;name;price\nA;B;1\n")
    with pytest.raises(UnusableFile, match=r"found: +sku, name, price\n.*expected: +sku, name, description"):
        import_file(path, Options())


@pytest.mark.django_db(transaction=True)
def test_two_imports_at_once_count_each_product_once(products_csv: Written) -> None:
    path = products_csv("".join(f"T-{at},Name,,Kitchen,1.00,20,{at},\n" for at in range(500)))

    def run(_: int) -> tuple[int, int, int, int]:
        try:
            return counts(import_file(path, Options()))
        finally:
            connection.close()

    with ThreadPoolExecutor(2) as pool:
        assert sorted(pool.map(run, range(2))) == [(0, 0, 500, 0), (500, 0, 0, 500)]


def test_the_command_prints_and_writes_its_report(products_csv: Written, tmp_path: Path) -> None:
    said, report = StringIO(), tmp_path / "report.json"
    path = products_csv(KETTLE + "C-1,,,Kitchen,1.00,20,1,\n")
    with pytest.raises(
        CommandError, match="1 row is wrong: put them right, or take the others with --partial"
    ):
        call_command("import_catalogue", path, json=report, stdout=said)
    assert "line 3 (C-1) refused: name is empty" in said.getvalue()
    assert json.loads(report.read_text())["written"] is False
    call_command("import_catalogue", path, partial=True, json=report, stdout=said)
    assert (
        "1 created, 0 updated, 0 unchanged; stock changed for 1; 2 rows read, 1 refused." in said.getvalue()
    )
    assert json.loads(report.read_text()) == {
        "file": "products.csv",
        "format": "products",
        "written": True,
        "rows": 2,
        "created": 1,
        "updated": 0,
        "unchanged": 0,
        "stock_changed": 1,
        "refused": [{"line": 3, "sku": "C-1", "reason": "name is empty", "stops": True}],
        "not_a_sale": {},
    }


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"stock_from_sales": True}, "holds no sales to take the stock from"),
        ({"short_every": 20}, "--short-every takes a number of 1 or more, together with --stock-from-sales"),
        ({"short_every": -1, "stock_from_sales": True}, "--short-every takes a number of 1 or more"),
    ],
)
def test_options_that_have_no_effect_are_refused(
    products_csv: Written, options: dict[str, int], said: str
) -> None:
    with pytest.raises(CommandError, match=said):
        call_command("import_catalogue", products_csv(KETTLE), **options, stdout=StringIO())
