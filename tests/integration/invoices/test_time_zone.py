"""Documents and lists are of the day that it was in the shop's own time zone, and a document keeps its day."""

import csv
import io
from datetime import UTC, date, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from django.db import IntegrityError, transaction
from django.test import Client
from pytest_django import Settings

from orders import files, scheduling
from orders.invoices import issuing
from orders.invoices.content import content_of
from orders.invoices.facturx import xml_of
from orders.invoices.figures import invoiced
from orders.models import Document, Order, Printout
from orders.printouts.asking import ask
from orders.states import OrderStatus
from tests.invoicing import document, said_in
from tests.making import place_order
from workers import documents

pytestmark = pytest.mark.django_db(transaction=True)
SILVESTER = datetime(2026, 12, 31, 23, 30, tzinfo=UTC)  # in Berlin it is 2027, in New York afternoon
DAY_OF_XML = "//rsm:ExchangedDocument/ram:IssueDateTime/*"


@pytest.fixture(autouse=True)
def media(settings: Settings, tmp_path: Path) -> Path:
    settings.MEDIA_ROOT = str(tmp_path)
    settings.STORAGES = {
        **settings.STORAGES,
        "staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"},
    }
    return tmp_path


@pytest.mark.parametrize(
    ("zone", "day", "in_xml"),
    [
        ("Europe/Berlin", "1 January 2027", "20270101"),
        ("UTC", "31 December 2026", "20261231"),
        ("America/New_York", "31 December 2026", "20261231"),
        ("Pacific/Kiritimati", "1 January 2027", "20270101"),
    ],
)
def test_an_invoice_bears_the_day_of_the_shops_time_zone(zone: str, day: str, in_xml: str) -> None:
    invoice, rows = document([(1, 1_250, 2_000)])
    invoice.time_zone = zone
    invoice.issued_at = invoice.order.placed_at = SILVESTER
    figures = invoiced(invoice, rows)
    content = content_of(invoice, figures)
    assert content.date == day
    assert content.ordered == day
    assert said_in(xml_of(invoice, figures), DAY_OF_XML) == [in_xml]


def test_a_credit_note_names_the_day_that_stands_on_the_invoice() -> None:
    """The shop has moved meanwhile: what was issued keeps its day."""
    invoice, rows = document([(1, 1_250, 2_000)])
    invoice.time_zone, invoice.issued_at = "Europe/Berlin", SILVESTER
    note = Document(
        pk=4, order=invoice.order, kind="credit_note", serial=1, seller=invoice.seller,
        seller_vat_id="GB000000000", seller_country="GB", issued_at=SILVESTER, time_zone="UTC",
    )  # fmt: skip
    content = content_of(note, invoiced(note, rows), invoice)
    assert content.date == "31 December 2026"
    assert content.credits == f"{invoice.number} of 1 January 2027"


def test_an_issued_document_keeps_its_time_zone(settings: Settings) -> None:
    settings.TIME_ZONE = "Asia/Tokyo"
    order = place_order(card=None)
    scheduling.advance([order.pk], [OrderStatus.PLACED], OrderStatus.RESERVED)
    issuing.issue([order.pk])
    settings.TIME_ZONE = "America/New_York"
    found = Document.objects.get(order=order)
    assert found.time_zone == "Asia/Tokyo"
    assert found.issued_on == found.issued_at.astimezone(ZoneInfo("Asia/Tokyo")).date()
    with pytest.raises(IntegrityError, match="written once"), transaction.atomic():
        Document.objects.update(time_zone="UTC")


@pytest.mark.parametrize(
    ("zone", "first", "second"), [("Europe/Berlin", 1, 1), ("UTC", 2, 0), ("America/New_York", 2, 0)]
)
def test_the_days_of_a_report_are_those_of_the_shops_time_zone(
    settings: Settings, zone: str, first: int, second: int
) -> None:
    settings.TIME_ZONE = zone
    for hour in (22, 23):
        placed = place_order()
        Order.objects.filter(pk=placed.pk).update(placed_at=SILVESTER.replace(hour=hour))
    for day, count in ((date(2026, 12, 31), first), (date(2027, 1, 1), second)):
        wanted = ask(Printout.Kind.ORDERS_CSV, by="ada", since=day, until=day)
        documents.make_printout(wanted.pk)
        wanted.refresh_from_db()
        rows = list(csv.DictReader(io.StringIO(files.path_of(wanted.file).read_text("utf-8-sig"))))
        assert [datetime.fromisoformat(row["placed_at"]).date() for row in rows] == [day] * count


def test_the_page_of_an_order_says_whose_time_it_shows(client: Client, settings: Settings) -> None:
    settings.TIME_ZONE = "Europe/Berlin"
    order = place_order()
    Order.objects.filter(pk=order.pk).update(placed_at=SILVESTER)
    page = client.get(order.get_absolute_url()).content.decode()
    assert "1 January 2027, 00:30 CET" in page
    assert "UTC" not in page
    assert client.get(f"/api/orders/{order.token}/").json()["placed_at"] == "2026-12-31T23:30:00Z"
