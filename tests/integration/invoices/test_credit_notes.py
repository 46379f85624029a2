"""Credit notes: one for each refund and for each invoice whose order is cancelled, numbered without gaps, adding up to
what was invoiced."""

import random
import uuid
from collections.abc import Collection
from concurrent.futures import ThreadPoolExecutor
from importlib import import_module
from pathlib import Path

import pytest
from django.db import IntegrityError, connection, transaction
from django.test import Client
from django.urls import reverse
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from hypothesis.extra.django import TestCase
from pytest_django import Settings

from orders import scheduling
from orders.cancelling import cancel
from orders.invoices import issuing, printing
from orders.invoices.content import content_of
from orders.invoices.facturx import xml_of
from orders.invoices.figures import PART_OF_THE_PRICE, Figures, credited
from orders.models import Document, Order, Payment, Refund, RefundLine
from orders.placing import LineDraft, place
from orders.refunds import refund
from orders.states import OrderStatus
from tests.invoicing import broken_rules, flaws, said_in
from tests.making import draft

pytestmark = pytest.mark.django_db

LINES = (
    LineDraft("KETTLE", "Cast iron kettle", 3, 4_999, 2_000),
    LineDraft("BOOK", "Book of knots", 1, 1_000, 0),
    LineDraft("FUEL", "Firewood", 2, 333, 500),
)


@pytest.fixture(autouse=True)
def media(settings: Settings, tmp_path: Path) -> Path:
    settings.MEDIA_ROOT = str(tmp_path)
    settings.STORAGES = {
        **settings.STORAGES,
        "staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"},
    }
    return tmp_path


def paid(lines: Collection[LineDraft] = LINES, *, card: bool = True, invoiced: bool = True) -> Order:
    """An order that is paid, or cash on delivery and reserved; issued an invoice unless told otherwise."""
    wanted = draft(card="pm_card_visa" if card else None)
    wanted = type(wanted)(
        **{**{name: getattr(wanted, name) for name in wanted.__slots__}, "lines": list(lines)}
    )
    order = Order.objects.get(pk=place(wanted, wait=False).id)
    scheduling.advance([order.pk], [OrderStatus.PLACED], OrderStatus.RESERVED)
    if card:
        scheduling.advance([order.pk], [OrderStatus.RESERVED], OrderStatus.PAID)
        Payment.objects.filter(order=order).update(
            status="captured", captured_minor=order.total_minor, reference="pi_1"
        )
    if invoiced:
        issuing.issue([order.pk])
    order.refresh_from_db()
    return order


def completed(lines: Collection[LineDraft] = LINES) -> Order:
    order = paid(lines)
    scheduling.advance([order.pk], [OrderStatus.PAID], OrderStatus.COMPLETED, then="end")
    return order


def give_back(order: Order, pieces: dict[str, int] | None = None) -> Refund:
    ids = dict(order.lines.values_list("sku", "id"))
    chosen = None if pieces is None else {ids[sku]: quantity for sku, quantity in pieces.items()}
    return refund(order.pk, chosen, key=str(uuid.uuid4()), reason="Broken", by="ada", restock=False)


def notes(order: Order) -> list[Document]:
    found = Document.objects.filter(order=order, kind=Document.Kind.CREDIT_NOTE)
    return list(found.select_related("order", "refund").order_by("serial"))


def figures(note: Document) -> Figures:
    return credited(
        note, list(note.order.lines.all()), list(RefundLine.objects.filter(refund__order=note.order))
    )


def test_a_refund_of_pieces_is_credited_with_the_price_and_tax_of_those_pieces() -> None:
    order = completed()
    made = give_back(order, {"KETTLE": 1, "FUEL": 2})
    [note] = notes(order)
    assert (note.refund, note.number, note.seller_country) == (made, "CN-0000001", "GB")
    found = figures(note)
    assert [(item.sku, item.quantity, item.gross, item.tax) for item in found.items] == [
        ("KETTLE", 1, 4_999, 833),
        ("FUEL", 2, 666, 32),
    ]
    assert (found.gross, found.tax) == (made.amount_minor, 865)
    invoice = Document.objects.get(order=order, kind="invoice")
    content = content_of(note, found, invoice)
    assert (content.title, content.total) == ("Credit note", "£56.65")
    assert content.credits.startswith(f"{invoice.number} of ")
    assert content.payment == "Back to your card"
    xml = xml_of(note, found, invoice)
    assert broken_rules(xml) == []
    assert said_in(xml, "//rsm:ExchangedDocument/ram:TypeCode") == ["381"]
    assert said_in(xml, "//ram:InvoiceReferencedDocument/ram:IssuerAssignedID") == [invoice.number]


def test_a_refund_of_all_that_is_left_is_credited() -> None:
    order = completed()
    give_back(order, {"BOOK": 1})
    give_back(order)
    first, second = (figures(note) for note in notes(order))
    assert (first.gross, first.tax) == (1_000, 0)
    assert (first.gross + second.gross, first.tax + second.tax) == (order.total_minor, order.tax_minor)


def test_the_same_request_again_issues_no_second_one() -> None:
    order = completed()
    ids = dict(order.lines.values_list("sku", "id"))
    for _ in range(2):
        refund(order.pk, {ids["BOOK"]: 1}, key="form-1", reason="Broken", by="ada", restock=False)
    assert len(notes(order)) == 1
    assert issuing.credit([order.pk]) == 0


def test_a_cancelled_order_that_was_invoiced_is_credited_whole() -> None:
    order = paid()
    cancel(order.token)
    cancel(order.token)
    [note] = notes(order)
    assert note.refund is None
    assert (figures(note).gross, figures(note).tax) == (order.total_minor, order.tax_minor)


def test_a_cancelled_order_that_was_not_invoiced_is_not_credited() -> None:
    order = paid(invoiced=False)
    cancel(order.token)
    assert not order.documents.exists()
    assert issuing.credit([order.pk]) == 0


def test_cash_on_delivery_that_is_cancelled_says_that_nothing_was_paid() -> None:
    order = paid(card=False)
    cancel(order.token)
    [note] = notes(order)
    invoice = Document.objects.get(order=order, kind="invoice")
    assert content_of(note, figures(note), invoice).payment == "Nothing was paid"
    assert broken_rules(xml_of(note, figures(note), invoice)) == []


def test_an_amount_that_no_pieces_explain_is_credited_by_its_share_of_each_tax_rate() -> None:
    order = completed()
    Payment.objects.filter(order=order).update(captured_minor=10_000)  # less than its pieces cost
    made = give_back(order)
    found = figures(notes(order)[0])
    assert made.amount_minor == found.gross == 10_000
    assert {item.name for item in found.items} == {PART_OF_THE_PRICE}
    assert [(one.rate_bp, one.gross) for one in found.sums] == [(2_000, 9_000), (500, 400), (0, 600)]


def test_its_pdf_is_archival_and_its_buyer_finds_it(client: Client, media: Path) -> None:
    order = completed()
    give_back(order, {"KETTLE": 1})
    [note] = notes(order)
    page = client.get(order.get_absolute_url()).content.decode()
    address = reverse("order_document", args=[order.token, note.number])
    assert address in page
    response = client.get(address, follow=True)
    pdf = b"".join(response.streaming_content)  # type: ignore[attr-defined]
    assert flaws(pdf) == []
    assert response.headers["Content-Disposition"] == f'inline; filename="{note.number}.pdf"'
    assert [path.name for path in media.rglob("CN-*.pdf")] == ["CN-0000001.pdf"]
    assert client.get(reverse("order_document", args=[order.token, "CN-0000009"])).status_code == 404


def test_invoices_and_credit_notes_are_printed_in_one_batch(media: Path) -> None:
    order = completed()
    give_back(order, {"KETTLE": 1})
    give_back(order)
    printing.print_documents(list(Document.objects.values_list("pk", flat=True)))
    assert sorted(path.name for path in media.rglob("*.pdf")) == [
        "CN-0000001.pdf",
        "CN-0000002.pdf",
        Document.objects.get(kind="invoice").number + ".pdf",
    ]


class TaxOfParts(TestCase):
    """In however many parts an order is refunded, its credit notes come to its invoice, to the cent."""

    @hypothesis_settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.too_slow])
    @given(
        prices=st.lists(
            st.tuples(st.integers(1, 12), st.integers(1, 99_999), st.sampled_from([2_000, 500, 0, 1_900])),
            min_size=1,
            max_size=4,
        ),
        seed=st.integers(0, 2**32),
    )
    def test_it_comes_to_the_tax_of_the_whole(self, prices: list[tuple[int, int, int]], seed: int) -> None:
        dice = random.Random(seed)
        order = completed(
            [
                LineDraft(f"SKU-{nr}", "It", quantity, price, rate)
                for nr, (quantity, price, rate) in enumerate(prices)
            ]
        )
        left = {f"SKU-{nr}": quantity for nr, (quantity, _, _) in enumerate(prices)}
        while any(left.values()):
            pieces = {sku: dice.randint(0, quantity) for sku, quantity in left.items()}
            if any(pieces.values()):
                give_back(order, pieces)
                left = {sku: quantity - pieces[sku] for sku, quantity in left.items()}
        found = [figures(note) for note in notes(order)]
        assert sum(one.gross for one in found) == order.total_minor
        assert sum(one.tax for one in found) == order.tax_minor
        invoice = Document.objects.get(order=order, kind="invoice")
        for note, one in zip(notes(order), found, strict=True):
            assert broken_rules(xml_of(note, one, invoice)) == []


@pytest.mark.django_db(transaction=True)
def test_many_at_once_have_numbers_without_a_gap() -> None:
    orders = [completed() for _ in range(12)]

    def work(order: Order) -> None:
        try:
            for sku in ("KETTLE", "BOOK"):
                give_back(order, {sku: 1})
        finally:
            connection.close()

    with ThreadPoolExecutor(6) as pool:
        list(pool.map(work, orders))
    serials = list(
        Document.objects.filter(kind="credit_note").order_by("serial").values_list("serial", flat=True)
    )
    assert serials == list(range(1, 25))


def test_a_refund_that_fails_takes_its_number_back() -> None:
    order = completed()

    def failing() -> None:
        with transaction.atomic():
            give_back(order, {"BOOK": 1})
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        failing()
    give_back(order, {"BOOK": 1})
    assert [note.serial for note in notes(order)] == [1]


def test_one_refund_has_one_credit_note_and_one_order_one_invoice() -> None:
    order = completed()
    made = give_back(order, {"BOOK": 1})
    for fields in (
        {"kind": "credit_note", "refund": made, "serial": 8},
        {"kind": "invoice", "serial": 8},
        {"kind": "invoice", "refund": made, "serial": 9},
    ):
        with pytest.raises(IntegrityError), transaction.atomic():
            Document.objects.create(order=order, seller="Us", **fields)


def test_what_was_refunded_before_there_were_credit_notes_is_credited_by_the_migration() -> None:
    earlier = import_module("orders.migrations.0008_credit_what_was_refunded")
    refunded, cancelled, neither = completed(), paid(), completed()
    made = Refund.objects.create(
        order=refunded,
        request_key="1",
        amount_minor=1_000,
        whole=False,
        restock=False,
        reason="",
        requested_by="ada",
    )
    scheduling.advance([cancelled.pk], [OrderStatus.PAID], OrderStatus.CANCELLED, then="end")
    with connection.schema_editor() as editor:
        for _ in range(2):
            earlier.credit(None, editor)
    assert [(note.refund, note.serial) for note in notes(refunded)] == [(made, 1)]
    assert [(note.refund, note.serial) for note in notes(cancelled)] == [(None, 2)]
    assert notes(neither) == []
    give_back(neither, {"BOOK": 1})
    assert [note.serial for note in notes(neither)] == [3]
