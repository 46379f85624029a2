"""Opens a CSV file and returns its rows with their line numbers. The formats know what the columns mean."""

import csv
import gzip
import io
import zlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from shop.catalogue.importing.drafts import UnusableFile

GZIP_MAGIC = b"\x1f\x8b"


@dataclass(frozen=True, slots=True)
class Record:
    """A row by the names of its columns, without outer spaces. With a `problem` all values are empty."""

    line: int
    values: dict[str, str]
    problem: str = ""


@dataclass(frozen=True, slots=True)
class Table:
    """An open file. `rows` can be read once; a row is the number of its first line and one cell a column."""

    columns: tuple[str, ...]
    rows: Iterator[tuple[int, list[str]]]

    def records(self, expected: Sequence[str]) -> Iterator[Record] | None:
        """The rows, if the file has exactly these columns, in any order; else None."""
        order = positions(self.columns, expected)
        return None if order is None else self._records(expected, order)

    def _records(self, expected: Sequence[str], order: Sequence[int]) -> Iterator[Record]:
        for line, cells in self.rows:
            if len(cells) == len(expected):
                yield Record(line, dict(zip(expected, (cells[at].strip() for at in order), strict=True)))
            else:
                problem = f"it has {len(cells)} columns instead of {len(expected)}"
                yield Record(line, dict.fromkeys(expected, ""), problem)


@contextmanager
def opened(path: Path) -> Iterator[Table]:
    """Open a file, plain or gzipped; its first bytes tell which, not its name. Raises UnusableFile."""
    try:
        with path.open("rb") as raw:
            packed = raw.read(len(GZIP_MAGIC)) == GZIP_MAGIC
            raw.seek(0)
            # utf-8-sig removes a byte order mark; newline="" leaves line ends to csv.
            unpacked = gzip.GzipFile(fileobj=raw) if packed else raw
            with io.TextIOWrapper(unpacked, encoding="utf-8-sig", newline="") as text:
                rows = _numbered(text)
                try:
                    _, header = next(rows)
                except StopIteration:
                    raise UnusableFile(f"{path} is empty.") from None
                yield Table(columns=tuple(name.strip() for name in header), rows=rows)
    except OSError as problem:  # also BadGzipFile, for a damaged archive
        raise UnusableFile(f"{path} cannot be read: {problem.strerror or problem}.") from problem
    except (EOFError, zlib.error) as problem:
        raise UnusableFile(f"{path} is a damaged or cut-off gzip file: {problem}.") from problem
    except UnicodeDecodeError as problem:
        raise UnusableFile(
            f"{path} is not UTF-8 text (byte 0x{problem.object[problem.start]:02x}). Save it as UTF-8."
        ) from problem


def _numbered(text: io.TextIOWrapper) -> Iterator[tuple[int, list[str]]]:
    reader = csv.reader(text)
    first_line = 1
    try:
        for cells in reader:
            if any(cells):
                yield first_line, cells
            # A quoted cell may span lines: the next row begins after the last line of this one.
            first_line = reader.line_num + 1
    except csv.Error as problem:
        raise UnusableFile(f"Line {first_line} is not CSV: {problem}.") from problem


def positions(columns: Sequence[str], expected: Sequence[str]) -> list[int] | None:
    """The position of each expected column, in whatever order and case they come; None if the sets differ."""
    found = [name.lower() for name in columns]
    wanted = [name.lower() for name in expected]
    return [found.index(name) for name in wanted] if sorted(found) == sorted(wanted) else None
