"""Makes the PDFs of invoices and credit notes: pictures of what was fixed at their issue, to be made at any time.

The files are archival: PDF/A-3b with the same document as XML inside (Factur-X), or PDF/A-2b where there can be no XML
(orders.invoices.facturx). They lie under MEDIA_ROOT, which no web server publishes. An archival PDF must show every
character: where no font has one, the page shows a sign of replacement, the XML the character, and the log says so.

A batch is made under a lease (orders.lease): a message may come twice, and what a dead worker held is due again seconds
after it last renewed.
"""

import logging
from collections.abc import Callable, Collection
from pathlib import Path
from typing import LiteralString

import orjson
import typst
from django.db.models import QuerySet

from orders import files, sql
from orders.crashpoints import Point, reached
from orders.invoices.content import content_of
from orders.invoices.embedding import finish
from orders.invoices.facturx import xml_of
from orders.invoices.figures import Figures, credited, invoiced
from orders.lease import ENDED, Table
from orders.models import Document
from orders.typesetting import displayable, lacks_a_letter, typeset

log = logging.getLogger(__name__)

TEMPLATE = Path(__file__).with_name("invoice.typ")
DOCUMENTS = Table("orders_document")

# Note the files. Without the holder: the same document is the same file, so a late worker does no harm.
_PRINTED: LiteralString = sql.compose(
    """
UPDATE orders_document d SET file = step.file, $ended
FROM unnest(%(ids)s::bigint[], %(files)s::text[]) AS step (id, file) WHERE d.id = step.id
""",
    ended=ENDED,
)
# Give up: nobody makes these before a person asks for one, or replays its dead letter.
_LEAVE: LiteralString = """
UPDATE orders_document SET due_at = NULL, holder = NULL WHERE order_id = ANY(%(orders)s) AND file = ''
"""


def print_documents(ids: Collection[int], alive: Callable[[], None] = lambda: None) -> dict[int, Exception]:
    """Make the PDFs of these documents; returns the errors of those that could not be made, by their ids.

    `alive` is called before each, and renews a lease. Raises what the database raises.
    """
    documents = with_rows(Document.objects.filter(pk__in=ids))
    if not documents:
        return {}
    owners = [document.order_id for document in documents]
    reached(Point.DOCUMENTS_BEFORE_FILE, owners)
    made: dict[int, str] = {}
    errors: dict[int, Exception] = {}
    for document in documents:
        alive()
        try:
            file = file_of(document)
            files.put(file, render(document, *figures_of(document)))
            made[document.pk] = file
        except Exception as error:  # one bad document never fails the others
            log.exception("The PDF of %s could not be made", document.number)
            errors[document.pk] = error
    reached(Point.DOCUMENTS_AFTER_FILE, owners)
    if made:
        sql.count(_PRINTED, {"ids": list(made), "files": list(made.values())})
    reached(Point.DOCUMENTS_AFTER_COMMIT, owners)
    return errors


def leave(orders: Collection[int]) -> None:
    """Make no more PDFs for these orders until somebody asks for one."""
    sql.count(_LEAVE, {"orders": list(orders)})


def pdf(document: Document) -> Path:
    """The document's PDF, made now if there is none. Raises the error that prevents it (typst.TypstError, OSError)."""
    path = files.path_of(document.file)
    if document.file and path.is_file():
        return path
    errors = print_documents([document.pk])
    if errors:
        raise errors[document.pk]
    return files.path_of(file_of(document))


def file_of(document: Document) -> str:
    """Where it lies under MEDIA_ROOT: a folder a year, and a thousand files a folder at most."""
    folder = "invoices" if document.kind == Document.Kind.INVOICE else "credit-notes"
    return f"{folder}/{document.issued_at:%y}/{document.serial // 1000:04d}/{document.number}.pdf"


def with_rows(documents: QuerySet[Document]) -> QuerySet[Document]:
    """The documents, with all rows that they are made from in a statement for each table."""
    found = documents.select_related("order", "refund")
    return found.prefetch_related("order__lines", "order__documents", "order__refunds__lines")


def figures_of(document: Document) -> tuple[Figures, Document | None]:
    """The figures of one of `with_rows`, and the invoice that a credit note credits."""
    order = document.order
    lines = order.lines.all()
    if document.kind == Document.Kind.INVOICE:
        return invoiced(document, lines), None
    refunded = [line for refund in order.refunds.all() for line in refund.lines.all()]
    [invoice] = [one for one in order.documents.all() if one.kind == Document.Kind.INVOICE]
    return credited(document, lines, refunded), invoice


def render(document: Document, figures: Figures, credits: Document | None = None) -> bytes:
    """The document's PDF, byte for byte the same whenever it is made. Raises typst.TypstError."""
    inputs, standard = inputs_of(document, figures, credits)
    try:
        made = typeset(TEMPLATE, inputs, [standard], document.issued_at)
    except typst.TypstError as error:
        if not lacks_a_letter(error):
            raise
        log.warning("%s shows signs of replacement for want of a font: %s", document, error.message)
        shown = {**inputs, "document": displayable(inputs["document"])}
        made = typeset(TEMPLATE, shown, [standard], document.issued_at)
    return finish(made, facturx=bool(inputs["xml"]))


def inputs_of(
    document: Document, figures: Figures, credits: Document | None = None
) -> tuple[dict[str, str], str]:
    """The input of invoice.typ, and the kind of PDF/A to make."""
    xml = xml_of(document, figures, credits)
    data = orjson.dumps(content_of(document, figures, credits)).decode()
    return {"document": data, "xml": xml}, "a-3b" if xml else "a-2b"
