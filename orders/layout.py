"""How typst lays out a PDF: it ends with a table of offsets, whose entries are all of one length."""

import re

ENTRY = 20  # bytes, by the format of PDF

_TABLE = re.compile(rb"xref\n0 (\d+)\n")


class UnknownLayout(Exception):
    """A PDF that is not laid out as typst does it."""


def table_of(pdf: bytes) -> tuple[int, range]:
    """Where the table of offsets begins, and where each of its entries does. Raises UnknownLayout."""
    start = int(pdf[pdf.rindex(b"startxref") + 9 : pdf.rindex(b"%%EOF")])
    table = _TABLE.match(pdf, start)
    if table is None:
        raise UnknownLayout("The PDF has no table of offsets where typst puts it.")
    return start, range(table.end(), table.end() + int(table[1]) * ENTRY, ENTRY)
