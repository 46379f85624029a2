"""Opens a CSV file and gives its rows with their line numbers. What the columns mean is for the formats to
say."""

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
class Table:
    """An open file. `rows` can be walked once; a row is its first line number and one cell a column."""

    columns: tuple[str, ...]
    rows: Iterator[tuple[int, list[str]]]


@contextmanager
def opened(path: Path) -> Iterator[Table]:
    """Open a file, plain or gzipped (told by its first bytes, not its name). Raises UnusableFile."""
    try:
        with path.open("rb") as raw:
            packed = raw.read(len(GZIP_MAGIC)) == GZIP_MAGIC
            raw.seek(0)
            # utf-8-sig takes a byte order mark away where there is one; newline="" leaves line ends to csv.
            unpacked = gzip.GzipFile(fileobj=raw) if packed else raw
            with io.TextIOWrapper(unpacked, encoding="utf-8-sig", newline="") as text:
                rows = _numbered(text)
                try:
                    _, header = next(rows)
                except StopIteration:
                    raise UnusableFile(f"{path} is empty.") from None
                yield Table(columns=tuple(name.strip() for name in header), rows=rows)
    except OSError as problem:
        # BadGzipFile, which a damaged archive raises, is one of these.
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
    """Where each expected column stands, in whatever order and case they come; None if the sets differ."""
    found = [name.lower() for name in columns]
    wanted = [name.lower() for name in expected]
    if sorted(found) != sorted(wanted):
        return None
    return [found.index(name) for name in wanted]
