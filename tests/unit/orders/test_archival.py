"""Invoices and credit notes as archives ask for them: PDF/A by an independent validator's judgement, the e-invoice
inside found and read by another's library."""

import io
import random

import pikepdf
import pytest
from facturx import get_facturx_xml_from_pdf

from orders.invoices.embedding import finish
from orders.invoices.facturx import FILENAME, xml_of
from orders.invoices.figures import credited, invoiced
from orders.invoices.printing import TEMPLATE, inputs_of, render
from orders.layout import UnknownLayout
from orders.models import Document, Refund, RefundLine
from orders.typesetting import typeset
from tests.invoicing import MOMENT, document, flaws

NAMESPACE = "urn:factur-x:pdfa:CrossIndustryDocument:invoice:1p0#"
NAMES = {
    "plain": "Ada Lovelace",
    "polish": "Łukasz Żółć-Ğüneş",
    "greek": "Ελένη Παπαδοπούλου",
    "ukrainian": "Юрій Ґалаґан",
    "hebrew": "דוד בן־גוריון",
    "arabic": "محمد علي",
    "georgian and armenian": "ნინო Հայկ",
    "vietnamese": "Nguyễn Thị Mỹ Phương",
    "decomposed": "Jose\N{COMBINING ACUTE ACCENT} Ångström-O\N{COMBINING DIAERESIS}",
    "long": "Wolfeschlegelsteinhausenbergerdorff-" * 3,
    "markup": "<#panic()> $x$ *b* _i_ @ref \\ & </ram:Name>",
    "quotes": "“O’Brien” ‹Söhne› — №5 ½ €",
}
DICE = random.Random(687)
LINES = {
    "one": [(1, 1_250, 2_000)],
    "three rates": [(3, 4_999, 2_000), (1, 1_000, 0), (2, 333, 500)],
    "a page": [(1, 999, 2_000)] * 22,
    "two pages": [(2, 100 + number, 2_000) for number in range(45)],
    "the longest that was ever ordered": [
        (DICE.randint(1, 12), DICE.randint(19, 2_500), 2_000) for _ in range(687)
    ],
}


def credit_note(*, refunded: bool = True) -> tuple[bytes, str]:
    """Two of the pieces of an invoice of three rates, or all of it, as PDF and XML."""
    invoice, rows = document(LINES["three rates"])
    refund = Refund(pk=5, order=invoice.order, amount_minor=4_999 + 333) if refunded else None
    lines = [
        RefundLine(refund=refund, line=rows[0], quantity=1),
        RefundLine(refund=refund, line=rows[2], quantity=1),
    ]
    note = Document(
        pk=4, order=invoice.order, kind="credit_note", refund=refund, serial=1, seller=invoice.seller,
        seller_vat_id="GB000000000", seller_country="GB", issued_at=MOMENT,
    )  # fmt: skip
    figures = credited(note, rows, lines if refunded else [])
    return render(note, figures, invoice), xml_of(note, figures, invoice)


@pytest.mark.parametrize("name", NAMES.values(), ids=NAMES.keys())
def test_whatever_the_buyer_is_called_it_is_archival(name: str) -> None:
    invoice, rows = document(LINES["three rates"], name=name, line1=name, names=[name])
    assert flaws(render(invoice, invoiced(invoice, rows))) == []


@pytest.mark.parametrize("wanted", LINES.values(), ids=LINES.keys())
def test_however_long_it_is_it_is_archival(wanted: list[tuple[int, int, int]]) -> None:
    for method in ("card", "cod"):
        invoice, rows = document(wanted, method=method)
        assert flaws(render(invoice, invoiced(invoice, rows))) == []


@pytest.mark.parametrize("refunded", [True, False], ids=["of a refund", "of a cancellation"])
def test_a_credit_note_is_archival_and_carries_its_data(refunded: bool) -> None:
    pdf, xml = credit_note(refunded=refunded)
    assert flaws(pdf) == []
    found, content = get_facturx_xml_from_pdf(pdf, check_xsd=True, check_schematron=False)
    assert (found, content.decode()) == (FILENAME, xml)


def test_without_a_tax_number_it_is_archival_without_data() -> None:
    invoice, rows = document(LINES["one"])
    invoice.seller_vat_id = ""
    pdf = render(invoice, invoiced(invoice, rows))
    assert flaws(pdf, "2b") == []
    with pikepdf.open(io.BytesIO(pdf)) as opened:
        assert not opened.attachments


def test_another_library_finds_the_data_and_what_it_is() -> None:
    invoice, rows = document(LINES["three rates"])
    figures = invoiced(invoice, rows)
    pdf = render(invoice, figures)
    found, content = get_facturx_xml_from_pdf(pdf, check_xsd=True, check_schematron=False)
    assert (found, content.decode()) == (FILENAME, xml_of(invoice, figures))
    with pikepdf.open(io.BytesIO(pdf)) as opened:
        assert opened.check_pdf_syntax() == []
        with opened.open_metadata() as metadata:
            said = {name.rpartition("}")[2]: value for name, value in metadata.items() if NAMESPACE in name}
            assert said == {
                "DocumentType": "INVOICE",
                "DocumentFileName": FILENAME,
                "Version": "1.0",
                "ConformanceLevel": "EN 16931",
            }
        [attached] = opened.Root.AF
        assert (str(attached.UF), str(attached.AFRelationship)) == (FILENAME, "/Alternative")


def test_the_judge_does_find_what_is_wrong() -> None:
    invoice, rows = document(LINES["one"])
    pdf = render(invoice, invoiced(invoice, rows))
    assert flaws(pdf, "2b")  # it carries a file, which PDF/A-2 forbids
    assert flaws(pdf.replace(b"namespaceURI>urn:factur-x:", b"namespaceURI>urn:factur-y:"))


def test_a_pdf_of_another_make_is_refused_and_not_broken() -> None:
    with pikepdf.new() as other:
        other.add_blank_page()
        file = io.BytesIO()
        other.save(file)
    with pytest.raises(UnknownLayout):
        finish(file.getvalue(), facturx=True)


def test_a_stream_that_happens_to_end_with_a_carriage_return_ends_clearly() -> None:
    for name in (f"Ada {number}" for number in range(1_000)):
        invoice, rows = document(LINES["one"], name=name)
        inputs, standard = inputs_of(invoice, invoiced(invoice, rows))
        made = typeset(TEMPLATE, inputs, [standard], MOMENT)
        if b"\r\nendstream" in made:
            assert flaws(made)
            assert flaws(finish(made, facturx=True)) == []
            return
    pytest.fail("No invoice of a thousand had such a stream.")
