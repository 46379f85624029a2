"""Puts the PDFs of typst's pieces together, in memory that does not grow with the pages.

Libraries build the objects of the whole document: qpdf, through pikepdf, took 65 KB for each page of the catalogue, 350
MB for 5,000. Here one piece is read at a time: its objects get new numbers and are written, and only their places and a
hash of each stay in memory. An object that many pieces have, a picture or a colour space, is written once. Each piece's
list of pages becomes a branch of one list. What no page refers to, above all the tags for screen readers, is left out.

It reads only what typst writes, a table of offsets and objects that stand alone, and refuses anything else. The tests
have the result read by two other libraries.
"""

import hashlib
import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import BinaryIO

from orders.layout import UnknownLayout, table_of

_OBJECT = re.compile(rb"(\d+) 0 obj\n")
_REFERENCE = re.compile(rb"\b(\d+) 0 R\b")
_PAGES = re.compile(rb"/Type/Pages/Count (\d+)")
_TAGS = re.compile(rb"/StructParents? \d+")
_STREAM = b"stream\n"


class _Joined:
    """The file that is written, and where its objects are. Number 1 is the root of all pages, 2 the catalogue."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._at = file.write(b"%PDF-1.7\n%\x80\x80\x80\x80\n")
        self._places: list[int] = [0, 0]
        self._known: dict[bytes, int] = {}
        self.branches: list[int] = []
        self.pages = 0

    def reserve(self) -> int:
        self._places.append(0)
        return len(self._places)

    def write(self, number: int, body: bytes) -> None:
        self._places[number - 1] = self._at
        self._at += self._file.write(b"%d 0 obj\n%bendobj\n" % (number, body))

    def once(self, body: bytes) -> int:
        """Its number, whether it is written now or was before."""
        digest = hashlib.blake2b(body, digest_size=16).digest()
        if digest not in self._known:
            self._known[digest] = self.reserve()
            self.write(self._known[digest], body)
        return self._known[digest]

    def finish(self) -> None:
        kids = b" ".join(b"%d 0 R" % number for number in self.branches)
        self.write(1, b"<</Type/Pages/Count %d/Kids[%b]>>\n" % (self.pages, kids))
        self.write(2, b"<</Type/Catalog/Pages 1 0 R>>\n")
        start = self._at
        self._file.write(b"xref\n0 %d\n0000000000 65535 f \n" % (len(self._places) + 1))
        for place in self._places:
            self._file.write(b"%010d 00000 n \n" % place)
        self._file.write(
            b"trailer\n<</Size %d/Root 2 0 R>>\nstartxref\n%d\n%%%%EOF\n" % (len(self._places) + 1, start)
        )


def join(parts: Sequence[Path], whole: BinaryIO, alive: Callable[[], None]) -> int:
    """Write the pages of all parts, in their order; returns how many. `alive` is called after each part.

    Raises UnknownLayout.
    """
    joined = _Joined(whole)
    for part in parts:
        _add(joined, _objects(part.read_bytes()))
        alive()
    joined.finish()
    return joined.pages


def pages_of(pdf: bytes) -> int:
    """How many pages a PDF of typst's has. Raises UnknownLayout."""
    [(_, count)] = _roots(_objects(pdf))
    return count


def _objects(pdf: bytes) -> dict[int, bytes]:
    """Every object's body by its number."""
    start, entries = table_of(pdf)
    places = sorted(int(pdf[entry : entry + 10]) for entry in entries[1:])
    found: dict[int, bytes] = {}
    for place, end in zip(places, [*places[1:], start], strict=True):
        head = _OBJECT.match(pdf, place)
        if head is None:
            raise UnknownLayout(f"There is no object at {place}, where the PDF's table says one is.")
        found[int(head[1])] = pdf[head.end() : pdf.rindex(b"endobj", head.end(), end)]
    return found


def _roots(objects: dict[int, bytes]) -> list[tuple[int, int]]:
    """Number and count of pages of the root of all pages."""
    found = [
        (number, int(pages[1])) for number, body in objects.items() if (pages := _PAGES.search(body, 0, 200))
    ]
    if len(found) != 1:
        raise UnknownLayout("The PDF's pages are not in one list, as typst has them.")
    return found


def _add(joined: _Joined, objects: dict[int, bytes]) -> None:
    [(root, count)] = _roots(objects)
    branch = joined.reserve()
    numbers: dict[int, int] = {root: branch}

    def renumbered(body: bytes) -> bytes:
        head, stream, content = body.partition(_STREAM)
        return _REFERENCE.sub(lambda one: b"%d 0 R" % moved(int(one[1])), head) + stream + content

    def moved(number: int) -> int:
        """Its new number. It is written first unless it was before, and whatever it refers to before it."""
        if number not in numbers:
            numbers[number] = joined.once(renumbered(objects[number]))
        return numbers[number]

    pages = []
    for found in _REFERENCE.finditer(objects[root]):
        number = joined.reserve()
        joined.write(number, renumbered(_TAGS.sub(b"", objects[int(found[1])])))
        pages.append(b"%d 0 R" % number)
    if len(pages) != count:
        raise UnknownLayout(f"The PDF says that it has {count} pages, and lists {len(pages)}.")
    joined.write(branch, b"<</Type/Pages/Parent 1 0 R/Count %d/Kids[%b]>>\n" % (count, b" ".join(pages)))
    joined.branches.append(branch)
    joined.pages += count
