"""Files come plain and gzipped, with and without a byte order mark, and broken in many ways."""

import gzip
from pathlib import Path

import pytest

from shop.catalogue.importing.drafts import UnusableFile
from shop.catalogue.importing.table import opened, positions


def rows_of(path: Path) -> tuple[tuple[str, ...], list[tuple[int, list[str]]]]:
    with opened(path) as table:
        return table.columns, list(table.rows)


@pytest.mark.parametrize("mark", [b"", b"\xef\xbb\xbf"])
@pytest.mark.parametrize("packed", [False, True])
def test_plain_or_gzipped_with_or_without_a_mark(tmp_path: Path, mark: bytes, packed: bool) -> None:
    content = mark + "sku,name\r\nA,Tür\r\n".encode()
    path = tmp_path / "named.anything"  # the first bytes tell, not the name
    path.write_bytes(gzip.compress(content) if packed else content)
    assert rows_of(path) == (("sku", "name"), [(2, ["A", "Tür"])])


def test_a_row_has_the_number_of_its_first_line(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text('sku,name\nA,"two\nlines"\n\n,\nB,b\n')
    assert rows_of(path)[1] == [(2, ["A", "two\nlines"]), (6, ["B", "b"])]


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "is empty"),
        (b"sku,name\nA,T\xfcr\n", "not UTF-8"),
        # With no time in it: it is the test's name, which all lanes must read alike.
        (gzip.compress(b"sku,name\nA,B\n" * 1000, mtime=0)[:-20], "damaged or cut-off gzip"),
        (b"\x1f\x8bnot gzip at all", "cannot be read"),
        (b'sku,name\nA,"' + b"x" * 200_000 + b'"\n', "Line 2 is not CSV"),
    ],
)
def test_a_broken_file_is_refused_with_what_is_wrong(tmp_path: Path, content: bytes, said: str) -> None:
    path = tmp_path / "broken.csv"
    path.write_bytes(content)
    with pytest.raises(UnusableFile, match=said):
        rows_of(path)


def test_a_missing_file(tmp_path: Path) -> None:
    with pytest.raises(UnusableFile, match="No such file"):
        rows_of(tmp_path / "nothing.csv")
    with pytest.raises(UnusableFile, match="directory"):
        rows_of(tmp_path)


def test_columns_come_in_any_order_and_case_but_all_of_them_and_no_others() -> None:
    assert positions(["Name", "SKU"], ["sku", "name"]) == [1, 0]
    assert positions(["name"], ["sku", "name"]) is None
    assert positions(["sku", "name", "colour"], ["sku", "name"]) is None
    assert positions(["sku", "sku"], ["sku", "name"]) is None
