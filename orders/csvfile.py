"""Reads CSV files strictly: what is not plain is refused with its line, and nothing is guessed.

Spreadsheets write CSV in many ways. Read are: commas, semicolons or tabs, as the heading or a first line "sep=;" has
them; UTF-8 with or without a byte order mark, and UTF-16 with one ("Unicode text"); gzip; blank lines, and empty
columns at the end. Named with what to do are: workbooks (.xlsx) and the encodings of single countries, since a wrong
guess would change names.

A quotation mark too many is what makes a reader swallow the next row as part of a cell, so the rules for it are strict.
It needs neither Django nor the database.
"""

import csv
import gzip
import io
import re
import zlib
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

GZIP_MAGIC = b"\x1f\x8b"
_WORKBOOKS = (b"PK\x03\x04", b"\xd0\xcf\x11\xe0")  # .xlsx and .ods; .xls
_UTF16 = (b"\xff\xfe", b"\xfe\xff")
_DELIMITERS = ",;\t"
_WITH_COMMA = re.compile(r"-?[0-9]+,[0-9]+")
_SEP = re.compile(r"sep=([,;|\t])\s*", re.IGNORECASE)


class UnusableFile(Exception):
    """The file as a whole cannot be read; the message says what is wrong and what was expected."""


@dataclass(frozen=True, slots=True)
class Row:
    """The number of its first line and one cell a column; with a `problem` the cells are empty."""

    line: int
    cells: list[str]
    problem: str = ""


@dataclass(frozen=True, slots=True)
class Record:
    """A row by the names of its columns, without outer spaces. With a `problem` all values are empty."""

    line: int
    values: dict[str, str]
    problem: str = ""


@dataclass(frozen=True, slots=True)
class Table:
    """A file that was read. `rows` can be gone through once.

    `decimal_comma`: it is separated by something else than commas, so "12,50" in it is twelve and a half.
    """

    columns: tuple[str, ...]
    rows: Iterator[Row]
    decimal_comma: bool = False

    def records(self, expected: Sequence[str], numbers: Collection[str] = ()) -> Iterator[Record] | None:
        """The rows, if the file has exactly these columns, in any order; else None. A decimal comma in one of the
        columns `numbers` comes as a point."""
        order = positions(self.columns, expected)
        return (
            None if order is None else self._records(expected, order, numbers if self.decimal_comma else ())
        )

    def _records(
        self, expected: Sequence[str], order: Sequence[int], with_comma: Collection[str]
    ) -> Iterator[Record]:
        for row in self.rows:
            problem, cells = row.problem, row.cells
            beyond = any(cell.strip() for cell in cells[len(expected) :])
            if not problem and (beyond or len(cells) < len(expected)):
                problem = f"it has {len(cells)} columns instead of {len(expected)}"
            if problem:
                yield Record(row.line, dict.fromkeys(expected, ""), problem)
                continue
            values = dict(zip(expected, (cells[at].strip() for at in order), strict=True))
            for name in with_comma:
                if _WITH_COMMA.fullmatch(values[name]):
                    values[name] = values[name].replace(",", ".")
            yield Record(row.line, values)


def opened(path: Path) -> Table:
    """The table in a file, plain or gzipped; its first bytes tell which, not its name. Raises UnusableFile."""
    try:
        content = path.read_bytes()
        if content.startswith(GZIP_MAGIC):
            content = gzip.decompress(content)
    except OSError as problem:  # also BadGzipFile, for a damaged archive
        raise UnusableFile(f"{path} cannot be read: {problem.strerror or problem}.") from problem
    except (EOFError, zlib.error) as problem:
        raise UnusableFile(f"{path} is a damaged or cut-off gzip file: {problem}.") from problem
    return table(content, str(path))


def table(content: bytes, name: str) -> Table:
    """The table in the content of a file; `name` is for the message when it is unusable. Raises UnusableFile."""
    text, skipped = _decoded(content, name), 0
    first = next(iter(io.StringIO(text, newline="")), "")
    if said := _SEP.fullmatch(first):
        delimiter, skipped, text = said[1], 1, text[len(first) :]
    else:
        heading = next((line for line in text.splitlines() if line.strip()), "")
        delimiter = max(_DELIMITERS, key=heading.count)
    rows = _rows(text, delimiter, skipped)
    top = next(rows, None)
    if top is None:
        raise UnusableFile(f"{name} is empty.")
    if top.problem:
        raise UnusableFile(f"{name}: the heading in line {top.line} cannot be read: {top.problem}.")
    columns = [column.strip() for column in top.cells]
    while columns and not columns[-1]:
        columns.pop()
    return Table(tuple(columns), rows, decimal_comma=delimiter != ",")


def positions(columns: Sequence[str], expected: Sequence[str]) -> list[int] | None:
    """The position of each expected column, in whatever order and case they come; None if the sets differ."""
    found = [name.lower() for name in columns]
    wanted = [name.lower() for name in expected]
    return [found.index(name) for name in wanted] if sorted(found) == sorted(wanted) else None


def _decoded(content: bytes, name: str) -> str:
    if content.startswith(_WORKBOOKS):
        raise UnusableFile(
            f'{name} is a workbook and no CSV file. Save it as "CSV UTF-8" in your spreadsheet.'
        )
    encoding = "utf-16" if content.startswith(_UTF16) else "utf-8-sig"
    try:
        return content.decode(encoding)
    except UnicodeDecodeError as problem:
        line = content.count(b"\n", 0, problem.start) + 1
        around = content[max(0, problem.start - 8) : problem.start + 8].decode("cp1252", "replace")
        raise UnusableFile(
            f"{name} is not UTF-8 text: line {line} has the byte 0x{content[problem.start]:02x} (on a Western European "
            f'Windows that is "{" ".join(around.split())}"). Save it as "CSV UTF-8".'
        ) from problem


def _rows(text: str, delimiter: str, skipped: int) -> Iterator[Row]:
    """Every row that is not blank, the heading first. One that cannot be read does not end the reading."""
    taken: list[str] = []  # the lines of the row that is being read

    def lines() -> Iterator[str]:
        for line in io.StringIO(text, newline=""):
            taken.append(line)
            yield line

    reader = csv.reader(lines(), delimiter=delimiter, strict=True)
    first, width = skipped + 1, 0
    while True:
        cells: list[str] = []
        problem = ""
        try:
            cells = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            problem = _in_words(error, len(taken))
        if problem or any(cell.strip() for cell in cells):
            problem = problem or _misquoted(cells, taken, delimiter, width)
            width = width or len(cells)
            yield Row(first, [] if problem else cells, problem)
        first += len(taken)
        taken.clear()


def _in_words(error: csv.Error, lines: int) -> str:
    over = f", over {lines} lines" if lines > 1 else ""
    if "expected after" in str(error):
        return f'a quotation mark ends a cell too early{over}; within a cell write it twice: "Pan 28"" non-stick"'
    if "end of data" in str(error):
        return f"a quotation mark is opened and never closed{over}"
    return f"{error}{over}"


def _misquoted(cells: list[str], lines: list[str], delimiter: str, width: int) -> str:
    """Why a row that can be read is probably not what was meant; "" if it is."""
    if any(cell[:1].isspace() and cell.lstrip().startswith('"') for cell in cells):
        return "a blank stands before a quotation mark"
    if width > 1 and any(len(next(csv.reader([line], delimiter=delimiter))) == width for line in lines[1:]):
        return (
            f"a cell goes on over {len(lines)} lines, and one of them is a whole row: is a quotation mark missing or "
            "too many? If not, write the cell in one line"
        )
    return ""
