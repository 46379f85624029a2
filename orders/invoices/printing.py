"""Makes the PDFs of invoices: pictures of what was fixed at their issue, so one can be made at any time.

Typst sets the type from `invoice.typ`; one compiler is kept for each process, because what it learns
(fonts, the parsed template) makes the next page cheap. The files are PDF/A-2b, the archival form:
self-contained, with all fonts inside. They lie under MEDIA_ROOT/invoices, which no web server hands out:
people reach one through their order's page.

The fonts within the typst wheel have the letters of Latin, Greek, Cyrillic, Hebrew, Arabic, Georgian and
Armenian scripts; what they lack, Chinese, Japanese and Korean above all, comes from the machine's fonts. An
archival PDF must not have a hole in it: where no font has a letter, the invoice is made as an ordinary PDF
with a box in its place, and the log says which letter it was.
"""

import json
import logging
import os
import tempfile
from collections import defaultdict
from collections.abc import Collection
from dataclasses import asdict
from functools import cache
from pathlib import Path
from threading import Lock
from typing import Any, LiteralString

import typst
from django.conf import settings

from orders import sql
from orders.crashpoints import Point, reached
from orders.invoices.content import content_of
from orders.models import Document, OrderLine

log = logging.getLogger(__name__)

TEMPLATE = Path(__file__).with_name("invoice.typ")
# Drives after which a document is left to a person: more will not help one that failed so often.
MAX_DRIVES = 3

_PRINTED: LiteralString = """
UPDATE orders_document d SET file = step.file, due_at = NULL, drives = 0
FROM unnest(%(ids)s::bigint[], %(files)s::text[]) AS step (id, file) WHERE d.id = step.id
"""
_LEAVE: LiteralString = (
    "UPDATE orders_document SET due_at = NULL WHERE order_id = ANY(%(orders)s) AND file = ''"
)

# A compiler is not to be entered twice; where web threads meet, one waits a few milliseconds.
_compiling = Lock()


class NeverBack(Exception):
    """Whoever was to make the PDF never came back with an answer."""


def print_documents(ids: Collection[int]) -> dict[int, Exception]:
    """Make the PDFs of these documents. One that fails keeps its lease and is tried again when it runs out.

    Returns those that were tried MAX_DRIVES times, also when no worker ever came back from it, as order ids with
    what hindered them: they are to be left to a person, and `leave` sees to it that they are no longer due.
    """
    documents = _documents(ids)
    given_up: dict[int, Exception] = {
        one.order_id: NeverBack(f"driven {one.drives - 1} times, and no worker came back with its PDF")
        for one in documents
        if one.drives > MAX_DRIVES
    }
    errors = _print([one for one in documents if one.drives <= MAX_DRIVES])
    given_up |= {
        one.order_id: errors[one.pk] for one in documents if one.pk in errors and one.drives == MAX_DRIVES
    }
    return given_up


def leave(orders: Collection[int]) -> None:
    """Make no more PDFs for these orders until somebody asks for one."""
    sql.count(_LEAVE, {"orders": list(orders)})


def pdf(document: Document) -> Path:
    """The document's PDF, made now if there is none. Raises what hinders it (typst.TypstError, OSError)."""
    path = Path(settings.MEDIA_ROOT, document.file)
    if document.file and path.is_file():
        return path
    errors = _print(_documents([document.pk]))
    if errors:
        raise errors[document.pk]
    return Path(settings.MEDIA_ROOT, _file_of(document))


def _documents(ids: Collection[int]) -> list[Document]:
    return list(Document.objects.filter(pk__in=ids).select_related("order"))


def _print(documents: Collection[Document]) -> dict[int, Exception]:
    """Make each document's file and write down those that were made; returns the others' errors by id."""
    lines: dict[int, list[OrderLine]] = defaultdict(list)
    for line in OrderLine.objects.filter(order__in=[document.order_id for document in documents]).order_by(
        "order_id", "position"
    ):
        lines[line.order_id].append(line)
    owners = [document.order_id for document in documents]
    reached(Point.DOCUMENTS_BEFORE_FILE, owners)
    files: dict[int, str] = {}
    errors: dict[int, Exception] = {}
    for document in documents:
        try:
            file = _file_of(document)
            _write(Path(settings.MEDIA_ROOT, file), _typeset(document, lines[document.order_id]))
            files[document.pk] = file
        except Exception as error:  # one bad document never fails the others
            log.exception("The PDF of %s could not be made", document.number)
            errors[document.pk] = error
    reached(Point.DOCUMENTS_AFTER_FILE, owners)
    if files:
        sql.count(_PRINTED, {"ids": list(files), "files": list(files.values())})
    reached(Point.DOCUMENTS_AFTER_COMMIT, owners)
    return errors


def _file_of(document: Document) -> str:
    """Where it lies under MEDIA_ROOT: a folder a year, and a thousand files a folder at most."""
    return f"invoices/{document.issued_at:%y}/{document.serial // 1000:04d}/{document.number}.pdf"


def _write(path: Path, content: bytes) -> None:
    """Put the file in place whole: it gets its name when all of it is on the disk, never before."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, fresh = tempfile.mkstemp(dir=path.parent, prefix=f".{path.stem}-")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(handle)
        Path(fresh).replace(path)
    except BaseException:
        Path(fresh).unlink(missing_ok=True)
        raise


@cache
def _compiler() -> typst.Compiler:
    """Made at the first page and not before: its threads would not survive a worker's fork."""
    return typst.Compiler(input=TEMPLATE, root=TEMPLATE.parent)


def _typeset(document: Document, lines: Collection[OrderLine]) -> bytes:
    inputs = {"invoice": json.dumps(asdict(content_of(document, lines)))}
    with _compiling:
        try:
            return _compile(inputs, document, ["a-2b"])
        except typst.TypstError as error:
            if "could not be displayed with" not in error.message:
                raise
            log.warning(
                "%s becomes an ordinary PDF for want of a font: %s",
                document,
                error.message,
            )
            return _compile(inputs, document, [])


def _compile(inputs: dict[str, str], document: Document, standards: list[Any]) -> bytes:
    pages = _compiler().compile(
        format="pdf",
        sys_inputs=inputs,
        pdf_standards=standards,
        timestamp=int(document.issued_at.timestamp()),
    )
    if not isinstance(pages, bytes):
        raise TypeError(f"typst answered with {type(pages).__name__} instead of one PDF for {document}")
    return pages
