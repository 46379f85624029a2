"""Finishes typst's PDF for the archive, in two places where typst cannot do it.

*That it is a Factur-X invoice.* Typst attaches the XML and makes PDF/A-3. Factur-X also asks for four properties in
the XMP metadata, and for the description of their schema there. Typst does not compress it, so both can be added.

*Where a stream ends.* Typst ends each with a line feed. When its last byte happens to be a carriage return, the two
read as the end of a line, and the stream is a byte shorter than it says, which PDF/A forbids (6.1.7.1). Such a stream
gets a carriage return of its own before the line feed. One invoice in about seventy has one.

Both only add bytes, so it is enough to move the offsets behind them in the table at the end: 0.1 ms, where a library
(pikepdf) takes half as long as typst took. Whatever does not look as typst writes it is refused, and the tests have
each kind of document checked by a validator. Source: Factur-X 1.09, section 6.2.2; ISO 19005-3, 6.1.7.1 and 6.6.2.3.
"""

import re
from bisect import bisect_left
from itertools import accumulate

from orders.invoices.facturx import FILENAME, PROFILE
from orders.layout import ENTRY, UnknownLayout, table_of

_NAMESPACE = "urn:factur-x:pdfa:CrossIndustryDocument:invoice:1p0#"
_PROPERTIES = {
    "DocumentFileName": (FILENAME, "The name of the embedded XML document"),
    "DocumentType": ("INVOICE", "The type of the hybrid document in capital letters, e.g. INVOICE or ORDER"),
    "Version": ("1.0", "The actual version of the standard applying to the embedded XML document"),
    "ConformanceLevel": (PROFILE, "The conformance level of the embedded XML document"),
}
_VALUES = (
    f'<rdf:Description rdf:about="" xmlns:fx="{_NAMESPACE}">'
    + "".join(f"<fx:{name}>{value}</fx:{name}>" for name, (value, _) in _PROPERTIES.items())
    + "</rdf:Description>"
).encode()
_SCHEMA = (
    '<rdf:li rdf:parseType="Resource"><pdfaSchema:schema>Factur-X PDFA Extension Schema</pdfaSchema:schema>'
    f"<pdfaSchema:namespaceURI>{_NAMESPACE}</pdfaSchema:namespaceURI><pdfaSchema:prefix>fx</pdfaSchema:prefix>"
    "<pdfaSchema:property><rdf:Seq>"
    + "".join(
        '<rdf:li rdf:parseType="Resource"><pdfaProperty:category>external</pdfaProperty:category>'
        f"<pdfaProperty:description>{description}</pdfaProperty:description>"
        f"<pdfaProperty:name>{name}</pdfaProperty:name><pdfaProperty:valueType>Text</pdfaProperty:valueType></rdf:li>"
        for name, (_, description) in _PROPERTIES.items()
    )
    + "</rdf:Seq></pdfaSchema:property></rdf:li>"
).encode()
_SCHEMAS_END = b"</rdf:Bag></pdfaExtension:schemas>"
_VALUES_END = b"</rdf:RDF>"
_METADATA = re.compile(rb"<</Length (\d+)/Type/Metadata/Subtype/XML>>\s*stream\r?\n")
_AMBIGUOUS_END = re.compile(rb"\r\nendstream")

# What is added, by the place in the PDF before which it is added.
_Added = dict[int, bytes]


def finish(pdf: bytes, *, facturx: bool) -> bytes:
    """The same PDF with all streams ending clearly, and with `facturx` saying that the XML in it is an invoice.

    Raises UnknownLayout.
    """
    added: _Added = {found.start() + 1: b"\r" for found in _AMBIGUOUS_END.finditer(pdf)}
    if facturx:
        pdf, added = _declared(pdf, added)
    return _with(pdf, added) if added else pdf


def _declared(pdf: bytes, added: _Added) -> tuple[bytes, _Added]:
    metadata = list(_METADATA.finditer(pdf))
    if len(metadata) != 1:
        raise UnknownLayout("The PDF has no metadata where typst puts them.")
    [found] = metadata
    length = int(found[1])
    places = [pdf.find(end, found.end(), found.end() + length) for end in (_SCHEMAS_END, _VALUES_END)]
    if -1 in places:
        raise UnknownLayout("The PDF's metadata has no list of schemas, or no end, where typst puts them.")
    more = dict(zip(places, (_SCHEMA, _VALUES), strict=True))
    longer = b"%d" % (length + len(_SCHEMA) + len(_VALUES))
    if len(longer) != len(found[1]):
        raise UnknownLayout(f"The PDF's metadata has {length} bytes, which is not what typst writes.")
    return pdf[: found.start(1)] + longer + pdf[found.end(1) :], added | more


def _with(pdf: bytes, added: _Added) -> bytes:
    """The PDF with more in it, and every offset of its table moved by what was put in before."""
    start, entries = table_of(pdf)
    places = sorted(added)
    more = [0, *accumulate(len(added[place]) for place in places)]
    parts, before = [], 0
    for place in places:
        parts += [pdf[before:place], added[place]]
        before = place
    parts.append(pdf[before : entries.start])
    for place in entries:
        offset = int(pdf[place : place + 10])
        parts.append(b"%010d" % (offset + more[bisect_left(places, offset)]))
        parts.append(pdf[place + 10 : place + ENTRY])
    parts.append(pdf[entries.stop : pdf.rindex(b"startxref")])
    parts.append(b"startxref\n%d\n%%%%EOF" % (start + more[-1]))
    return b"".join(parts)
