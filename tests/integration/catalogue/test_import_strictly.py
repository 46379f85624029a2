"""A file with a slip of the pen is refused with its lines, and what spreadsheets make of a good one is read."""

from pathlib import Path

import pytest

from orders.csvfile import UnusableFile
from orders.models import StockItem
from shop.catalogue.importing.importer import FileRefused, Options, import_file
from shop.catalogue.importing.native import COLUMNS
from shop.catalogue.models import Category, Product
from tests.integration.catalogue.conftest import Written

pytestmark = pytest.mark.django_db

POT = "PN-2,Pot,,Kitchen,30.00,20,1,\n"


@pytest.mark.parametrize(
    ("row", "lines", "said"),
    [
        ('PN-1,"Pan 28" non-stick",,Kitchen,20.00,20,1,\n', {2}, "within a cell write it twice"),
        (
            'PN-1,"Pan 28,,Kitchen,20.00,20,1,\nPN-3,Lid 28",,Kitchen,5.00,20,1,\n',
            {2},
            "is a quotation mark missing",
        ),
        (
            'PN-1,Pan,"28 cm,Kitchen,20.00,20,1,\nPN-3,Lid,28 cm",Kitchen,5.00,20,1,\n',
            {2},
            "is a quotation mark missing",
        ),
        ('PN-1,"Pan\n28",,Kitchen,20.00,20,1,\n', {2}, "name goes on over several lines"),
        ("PN-1,Pan,,Kitchen,20.00,20,1,,lost\n", {2}, "it has 9 columns instead of 8"),
        ('PN-1,Pan,,Kitchen,"20,00",20,1,\n', {2}, '"20,00" is not a number such as 12.50'),
        ("PN-1,Pan,,Kitchen,20.00,20,1e3,\n", {2}, '"1e3" is not a number such as 12'),
        ("PN-1,Pan,,Kitchen,20.00,20,2000000000,\n", {2}, 'stock "2000000000" is too high'),
    ],
)
def test_a_slip_is_refused_with_its_line_and_nothing_is_written(
    products_csv: Written, row: str, lines: set[int], said: str
) -> None:
    with pytest.raises(FileRefused) as refused:
        import_file(products_csv(row + POT), Options())
    assert {one.line for one in refused.value.report.refused} == lines
    assert said in refused.value.report.refused[0].reason
    assert not Product.objects.exists()
    assert not Category.objects.exists()
    assert not StockItem.objects.exists()


def test_two_slips_are_two_reasons_and_the_rows_between_them_are_right(products_csv: Written) -> None:
    slip = 'PN-1,"Pan 28" non-stick",,Kitchen,20.00,20,1,\n'
    report = import_file(products_csv(slip + POT + "\n" + slip), Options(partial=True))
    assert [one.line for one in report.refused] == [2, 5]
    assert (Product.objects.get().name, Product.objects.get().price_minor) == ("Pot", 3000)


@pytest.mark.parametrize(
    ("before", "delimiter", "comma", "after", "encoding"),
    [
        ("", ";", ",", "", "utf-8-sig"),
        ("sep=;\r\n", ";", ",", "", "utf-8-sig"),
        ("", "\t", ",", "", "utf-16"),
        ("", ",", ".", ",,", "utf-8"),
        ("", ";", ".", ";;;", "utf-8"),
    ],
)
def test_what_spreadsheets_make_of_it_is_read(
    tmp_path: Path, before: str, delimiter: str, comma: str, after: str, encoding: str
) -> None:
    rows = [COLUMNS, ("TU-1", "Tür, 28", "Für alle.", "Küche", f"12{comma}50", f"5{comma}5", "7", "")]
    lines = [
        delimiter.join(f'"{cell}"' if "," in cell and delimiter == "," else cell for cell in row)
        for row in rows
    ]
    path = tmp_path / "excel.csv"
    path.write_bytes(
        (before + "".join(f"{line}{after}\r\n" for line in [*lines, "", delimiter * 7])).encode(encoding)
    )
    import_file(path, Options())
    door = Product.objects.get()
    assert (door.name, door.description, door.price_minor, door.tax_rate_bp) == (
        "Tür, 28",
        "Für alle.",
        1250,
        550,
    )
    assert StockItem.objects.get().on_hand == 7


@pytest.mark.parametrize("encoding", ["cp1252", "mac-roman", "cp1250"])
def test_an_encoding_that_can_only_be_guessed_is_named(tmp_path: Path, encoding: str) -> None:
    path = tmp_path / "excel.csv"
    path.write_bytes((";".join(COLUMNS) + "\r\nTU-1;Tür;;Küche;12,50;20;7;\r\n").encode(encoding))
    with pytest.raises(UnusableFile, match=r'line 2 has the byte .* Save it as "CSV UTF-8"'):
        import_file(path, Options())
    assert not Product.objects.exists()
