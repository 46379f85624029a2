"""PDFs: archival, whole or not there, made by whoever comes first, and one that fails leaves the others alone."""

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path

import pypdfium2
import pytest
import redis
from django.db import connection
from django.test import Client
from django.urls import reverse
from django.utils import timezone
from facturx import get_facturx_xml_from_pdf
from pytest_django import Settings

from orders import scheduling
from orders.invoices import issuing, pdf
from orders.lease import MAX_ATTEMPTS
from orders.models import Document, Order
from orders.placing import Address, LineDraft, OrderDraft, place
from orders.states import OrderStatus
from tests.invoicing import flaws
from workers.broker import Broker
from workers.models import DeadLetter
from workers.queues import QueueName
from workers.relay.dispatcher import Dispatcher
from workers.relay.leased import dispatch_documents
from workers.retry import POLICIES
from workers.tasks import render_documents

POLICY = POLICIES[QueueName.DOCUMENTS]

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def media(settings: Settings, tmp_path: Path) -> Path:
    settings.MEDIA_ROOT = str(tmp_path)
    return tmp_path


def invoices(count: int = 1, *, name: str = "Ada Lovelace", lines: int = 1) -> list[Document]:
    """Issued, claimed by the relay for the first time, and not printed yet."""
    placed = [
        place(
            OrderDraft(
                key=f"{name} {lines} {number}",
                fingerprint="f" * 64,
                email="ada@example.com",
                phone="+441632960001",
                address=Address(name, "12 St James's Square", "", "London", "SW1Y 4JH", "GB"),
                currency="GBP",
                lines=[LineDraft(f"SKU-{line}", f"Article {line}", 1, 1_000, 2_000) for line in range(lines)],
                payment_method="cod",
                payment_token="",
            ),
            wait=False,
        ).id
        for number in range(count)
    ]
    scheduling.advance(placed, [OrderStatus.PLACED], OrderStatus.RESERVED)
    issuing.issue(placed)
    documents = Document.objects.filter(order__in=placed)
    documents.update(due_at=timezone.now() + timedelta(seconds=20))
    return list(documents.order_by("serial"))


def is_archival(content: bytes) -> bool:
    return (
        b"<pdfaid:part>3</pdfaid:part>" in content
        and b"<pdfaid:conformance>B</pdfaid:conformance>" in content
    )


def test_a_batch_is_printed_and_no_longer_due(media: Path) -> None:
    documents = invoices(3)
    render_documents([document.pk for document in documents])
    for document in Document.objects.all():
        content = (media / document.file).read_bytes()
        assert content.startswith(b"%PDF-")
        assert content.rstrip().endswith(b"%%EOF")
        assert is_archival(content)
        assert document.number.encode() in content
        assert (document.due_at, document.attempts, document.attempts_total) == (None, 0, 1)
    assert {path.suffix for path in media.rglob("*") if path.is_file()} == {".pdf"}


def test_the_same_invoice_is_the_same_file_byte_for_byte() -> None:
    [document] = invoices()
    first = pdf(document).read_bytes()
    pdf(document).unlink()
    assert pdf(document).read_bytes() == first


def test_the_first_who_asks_gets_it_and_the_next_finds_it() -> None:
    [document] = invoices()
    path = pdf(document)
    document.refresh_from_db()
    assert document.due_at is None
    printed = path.stat()
    assert pdf(document) == path
    assert path.stat().st_mtime_ns == printed.st_mtime_ns


def test_a_lost_file_is_made_again() -> None:
    [document] = invoices()
    pdf(document).unlink()
    document.refresh_from_db()
    assert document.file
    assert pdf(document).is_file()


@pytest.mark.parametrize(
    "name",
    [
        "Łukasz Żółć-Ğüneş",
        "Ελένη Παπαδοπούλου",
        "Юрій Ґалаґан",
        "דוד בן־גוריון",
        "محمد علي",
        "ნინო Հայկ",
        "山田 太郎",
        "김철수",
        "王小明 𠮷野家",
        "สมชาย ใจดี",
        "प्रिया शर्मा",
        "Sakura 🌸 👩‍👩‍👧",
        "<#panic()> $x$ *b* _i_ @ref \\ #sys.inputs",
    ],
)
def test_letters_of_nearly_all_scripts_are_in_an_archival_pdf(
    caplog: pytest.LogCaptureFixture, name: str
) -> None:
    [document] = invoices(name=name)
    content = pdf(document).read_bytes()
    assert is_archival(content)
    assert flaws(content) == []
    assert "for want of a font" not in caplog.text


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("𒀀𒈾 of Uruk", "\ufffd\ufffd of Uruk"),  # cuneiform
        ("\U0010fffd Co", "\ufffd Co"),  # for private use: nobody gives it a shape
        ("Pier 1\ufe0f\u20e3", "Pier 1"),  # a digit in a box
    ],
)
def test_a_sign_that_no_font_has_costs_neither_the_archive_nor_the_data(
    caplog: pytest.LogCaptureFixture, name: str, shown: str
) -> None:
    [document] = invoices(name=name)
    content = pdf(document).read_bytes()
    assert is_archival(content)
    assert flaws(content) == []
    assert name.encode() in get_facturx_xml_from_pdf(content, check_schematron=False)[1]
    with pypdfium2.PdfDocument(content) as read:
        assert shown in read[0].get_textpage().get_text_bounded()
    assert "for want of a font" in caplog.text


def test_a_thousand_lines_make_many_pages() -> None:
    [document] = invoices(lines=1_000)
    assert b"<xmpTPg:NPages>35</xmpTPg:NPages>" in pdf(document).read_bytes()


@pytest.fixture
def blocked(media: Path) -> list[Document]:
    """Three invoices, the second of which cannot be written: a folder stands where its file belongs."""
    documents = invoices(3)
    second = documents[1]
    folder = media / f"invoices/{second.issued_at:%y}/{second.serial // 1000:04d}"
    in_the_way = folder / f"{second.number}.pdf"
    (in_the_way / "full").mkdir(parents=True)
    return documents


def test_one_that_fails_is_tried_again_later_and_leaves_the_others_alone(blocked: list[Document]) -> None:
    render_documents([document.pk for document in blocked])
    first, second, third = Document.objects.order_by("serial")
    assert first.file
    assert third.file
    assert not second.file
    assert second.due_at is not None
    assert timezone.now() < second.due_at < timezone.now() + timedelta(seconds=POLICY.longest(1))
    assert (second.attempts, second.failures, second.holder) == (0, 1, None)
    with pytest.raises(OSError, match="directory"):
        pdf(second)


def test_after_three_failures_it_is_left_to_a_person(blocked: list[Document]) -> None:
    Document.objects.filter(pk=blocked[1].pk).update(failures=POLICY.failures - 1)
    render_documents([document.pk for document in blocked])
    left = Document.objects.get(pk=blocked[1].pk)
    assert left.due_at is None
    assert not left.file
    letter = DeadLetter.objects.get()
    assert (letter.order_id, letter.task, letter.stops_order) == (left.order_id, "documents.render", False)
    assert "directory" in letter.message


@pytest.mark.django_db(transaction=True)
def test_one_that_no_worker_ever_came_back_from_is_not_tried_again(broker: redis.Redis) -> None:
    [document] = invoices()
    Document.objects.filter(pk=document.pk).update(attempts=MAX_ATTEMPTS, due_at=timezone.now())
    dispatch_documents(Broker(), Dispatcher(Broker()))
    document.refresh_from_db()
    assert (document.due_at, document.file) == (None, "")
    assert "no worker came back" in DeadLetter.objects.get().message
    assert pdf(document).is_file()


@pytest.mark.django_db(transaction=True)
def test_many_who_ask_at_once_get_the_same_whole_file() -> None:
    [document] = invoices()

    def ask(_: int) -> bytes:
        try:
            return pdf(Document.objects.get(pk=document.pk)).read_bytes()
        finally:
            connection.close()

    with ThreadPoolExecutor(8) as pool:
        answers = set(pool.map(ask, range(16)))
    assert len(answers) == 1


def test_the_shopper_opens_it_from_the_orders_page(client: Client) -> None:
    [document] = invoices()
    order = Order.objects.get()
    response = client.get(reverse("invoice", args=[order.token]), follow=True)
    assert response.headers["Content-Type"] == "application/pdf"
    assert b"".join(response.streaming_content).startswith(b"%PDF-")  # type: ignore[attr-defined]
    assert document.number in response.headers["Content-Disposition"]
