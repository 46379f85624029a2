"""Files come plain and gzipped, with and without a byte order mark, and broken in many ways."""

import csv
import gzip
import io
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orders.csvfile import UnusableFile, opened, positions, table

COLUMNS = ("sku", "name", "price")
Records = dict[int, tuple[str, ...]]


def rows_of(path: Path) -> tuple[tuple[str, ...], list[tuple[int, list[str]]]]:
    read = opened(path)
    return read.columns, [(row.line, row.cells) for row in read.rows]


def read(text: str, encoding: str = "utf-8") -> tuple[Records, dict[int, str]]:
    """The rows by their line, and why others cannot be read."""
    records = table(text.encode(encoding), "a.csv").records(COLUMNS, ("price",))
    assert records is not None
    good: Records = {}
    bad: dict[int, str] = {}
    for record in records:
        if record.problem:
            bad[record.line] = record.problem
        else:
            good[record.line] = tuple(record.values.values())
    return good, bad


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
        (b"sku,name\nA,T\xfcr\n", r"line 2 has the byte 0xfc .*Tür.*CSV UTF-8"),
        # With no time in it: it is the test's name, which all lanes must read alike.
        (gzip.compress(b"sku,name\nA,B\n" * 1000, mtime=0)[:-20], "damaged or cut-off gzip"),
        (b"\x1f\x8bnot gzip at all", "cannot be read"),
        (b'sku,"na"me\nA,B\n', "the heading in line 1 cannot be read"),
        (b"PK\x03\x04 and so on", "is a workbook"),
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


def test_a_quotation_mark_too_many_does_not_swallow_the_next_product() -> None:
    good, bad = read(
        'sku,name,price\nPN-1,"Pan 28" non-stick",20\nPN-2,"Pot",30\nPN-3,"Lid "x,1\nPN-4,Cup,2\n'
    )
    assert good == {3: ("PN-2", "Pot", "30"), 5: ("PN-4", "Cup", "2")}
    assert bad.keys() == {2, 4}
    assert "write it twice" in bad[2]


@pytest.mark.parametrize(
    ("text", "lines", "said"),
    [
        # One that opens in one row and closes in another makes a cell of all between them.
        ('sku,name,price\nA,"Pan,20\nB,Pot,30\nC,Lid",40\n', {2}, "is a quotation mark missing"),
        ('sku,name,price\nA,"Pan,20\nB,"Pot",30\nC,Lid,40\n', {2}, "too early, over 2 lines"),
        ('sku,name,price\nA,"Pan,20\nB,Pot,30\n', {2}, "never closed, over 2 lines"),
        ('sku,name,price\nA, "Pan, large",20\nB,Pot,30\n', {2}, "blank stands before a quotation mark"),
        ('sku,name,price\nA,"' + "x" * 200_000 + '",1\n', {2}, "larger than field limit"),
        ("sku,name,price\nA,Pan\nB,Pot,1,2\n", {2, 3}, "columns instead of 3"),
    ],
)
def test_what_is_quoted_wrongly_is_refused_with_its_line(text: str, lines: set[int], said: str) -> None:
    good, bad = read(text)
    assert bad.keys() == lines
    assert said in bad[2]
    assert not any("\n" in cell for cells in good.values() for cell in cells)


@pytest.mark.parametrize(
    ("text", "encoding"),
    [
        ('sku,name,price\nA,Tür 3,12.50\n\n , ,\nB,"Topf, 2 l",3\n', "utf-8"),
        ("sku;name;price\nA;Tür 3;12,50\n;;\n\nB;Topf, 2 l;3\n", "utf-8-sig"),
        ("sep=;\r\nsku;name;price\r\nA;Tür 3;12.50\r\nB;Topf, 2 l;3\r\n", "utf-8-sig"),
        ("sku\tname\tprice\r\nA\tTür 3\t12,50\r\nB\tTopf, 2 l\t3\r\n", "utf-16"),
        ('sku,name,price,,\nA,Tür 3,12.50,,\nB,"Topf, 2 l",3,\n', "utf-8"),
        ('sku,name,price\rA,Tür 3,12.50\rB,"Topf, 2 l",3\r', "utf-8"),
    ],
)
def test_what_spreadsheets_write_is_read(text: str, encoding: str) -> None:
    good, bad = read(text, encoding)
    assert (list(good.values()), bad) == ([("A", "Tür 3", "12.50"), ("B", "Topf, 2 l", "3")], {})


def test_lines_are_counted_as_an_editor_does() -> None:
    assert read('sep=;\n\nsku;name;price\n\nA;"two\nlines";1\n\nB;b\n')[0].keys() == {5}
    assert read('sep=;\n\nsku;name;price\n\nA;"two\nlines";1\n\nB;b\n')[1].keys() == {8}


def test_a_decimal_comma_among_commas_stays_what_it_is() -> None:
    assert read('sku,name,price\nA,Pan,"12,50"\n')[0] == {2: ("A", "Pan", "12,50")}


CELL = st.text(st.sampled_from('ab ,;"\n\tü'), max_size=6).map(str.strip)


@given(st.lists(st.tuples(CELL, CELL, CELL), max_size=4), st.sampled_from(",;\t"))
def test_what_a_writer_wrote_is_read_as_it_was_or_refused(
    rows: list[tuple[str, ...]], delimiter: str
) -> None:
    text = io.StringIO()
    csv.writer(text, delimiter=delimiter).writerows([COLUMNS, *rows])
    good, bad = read(text.getvalue())
    wanted = [row for row in rows if any(row)]
    assert len(good) + len(bad) == len(wanted)
    assert all(row in wanted for row in good.values())
    assert all("whole row" in problem for problem in bad.values())


def test_columns_come_in_any_order_and_case_but_all_of_them_and_no_others() -> None:
    assert positions(["Name", "SKU"], ["sku", "name"]) == [1, 0]
    assert positions(["name"], ["sku", "name"]) is None
    assert positions(["sku", "name", "colour"], ["sku", "name"]) is None
    assert positions(["sku", "sku"], ["sku", "name"]) is None
