"""Says in a PDF's metadata that it is a Factur-X invoice, which typst cannot be told to say.

Typst attaches the XML (`pdf.attach`) and makes PDF/A-3; Factur-X also asks for four properties in the XMP metadata and
for the description of their schema there. Typst leaves the metadata uncompressed and writes a classic table of offsets
at the end, so this puts the words in and moves the offsets that lie behind them: 0.02 ms, where reading and writing the
PDF anew (pikepdf) takes half as long as typst took to make it. It refuses whatever does not look as typst writes it,
and the tests have each kind of document judged by a validator of PDF/A.
Source: Factur-X 1.09, section 6.2.2; ISO 19005-3, 6.6.2.3.
"""

import re

from orders.invoices.facturx import FILENAME, PROFILE

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
_TABLE = re.compile(rb"xref\n0 (\d+)\n")
_ENTRY = 20  # bytes, as the format of PDF has it


class UnknownLayout(Exception):
    """A PDF that is not laid out as typst does it; its metadata cannot be extended."""


def declare(pdf: bytes) -> bytes:
    """The same PDF, whose metadata says that the XML in it is a Factur-X invoice. Raises UnknownLayout."""
    metadata = list(_METADATA.finditer(pdf))
    start = int(pdf[pdf.rindex(b"startxref") + 9 : pdf.rindex(b"%%EOF")])
    table = _TABLE.match(pdf, start)
    if len(metadata) != 1 or table is None:
        raise UnknownLayout("The PDF has no metadata, or no table of offsets, where typst puts them.")
    [found] = metadata
    old = pdf[found.end() : found.end() + int(found[1])]
    if old.count(_SCHEMAS_END) != 1 or old.count(_VALUES_END) != 1:
        raise UnknownLayout("The PDF's metadata has no list of schemas, or no end, where typst puts them.")
    new = old.replace(_SCHEMAS_END, _SCHEMA + _SCHEMAS_END).replace(_VALUES_END, _VALUES + _VALUES_END)
    head = found[0].replace(found[1], str(len(new)).encode(), 1)
    more = len(head) + len(new) - len(found[0]) - len(old)
    entries = table.end()
    end = entries + int(table[1]) * _ENTRY
    moved = b"".join(
        _moved(pdf[place : place + _ENTRY], found.start(), more) for place in range(entries, end, _ENTRY)
    )
    trailer = pdf[end : pdf.rindex(b"startxref")]
    return b"".join(
        (
            *(pdf[: found.start()], head, new),
            *(pdf[found.end() + len(old) : entries], moved, trailer),
            b"startxref\n%d\n%%%%EOF" % (start + more),
        )
    )


def _moved(entry: bytes, behind: int, more: int) -> bytes:
    offset = int(entry[:10])
    return b"%010d%b" % (offset + more, entry[10:]) if offset > behind else entry
