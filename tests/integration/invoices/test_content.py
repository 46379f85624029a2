"""What an invoice says: every line, tax by its rate, and sums that add up to what was charged."""

import re

import pytest
from pytest_django import Settings

from orders import scheduling
from orders.invoices import issuing
from orders.invoices.content import Content, content_of
from orders.invoices.figures import invoiced
from orders.models import Document, Order
from orders.placing import Address, LineDraft, OrderDraft, place
from orders.states import OrderStatus
from orders.typesetting import breakable

pytestmark = pytest.mark.django_db

LINES = (
    LineDraft("KETTLE", "Cast iron kettle", 3, 4_999, 2_000),
    LineDraft("BOOK", "Book of knots", 1, 1_000, 0),
    LineDraft("FUEL", "Firewood", 2, 333, 500),
)


def invoice(*, currency: str = "GBP", method: str = "cod") -> Content:
    draft = OrderDraft(
        key=f"{currency}{method}",
        fingerprint="f" * 64,
        email="lukasz@example.com",
        phone="+48221234567",
        address=Address("Łukasz Żółć", "ul. Długa 7", "", "Łódź", "90-001", "PL"),
        currency=currency,
        lines=LINES,
        payment_method=method,
        payment_token="pm_card_visa" if method == "card" else "",
    )
    order = Order.objects.get(pk=place(draft, wait=False).id)
    scheduling.advance([order.pk], [OrderStatus.PLACED], OrderStatus.RESERVED)
    if method == "card":
        scheduling.advance([order.pk], [OrderStatus.RESERVED], OrderStatus.PAID)
    issuing.issue([order.pk])
    document = Document.objects.select_related("order").get(order=order)
    return content_of(document, invoiced(document, list(order.lines.all())))


def test_it_has_every_line_with_net_tax_and_gross() -> None:
    shown = [
        (line.name, line.quantity, line.unit, line.rate, line.net, line.tax, line.gross)
        for line in invoice().lines
    ]
    assert shown == [
        ("Cast iron kettle", "3", "£49.99", "20%", "£124.97", "£25.00", "£149.97"),
        ("Book of knots", "1", "£10.00", "0%", "£10.00", "£0.00", "£10.00"),
        ("Firewood", "2", "£3.33", "5%", "£6.34", "£0.32", "£6.66"),
    ]


def test_tax_is_summed_by_rate_and_adds_up_to_the_total() -> None:
    content = invoice()
    assert [(row.rate, row.net, row.tax, row.gross) for row in content.rates] == [
        ("20%", "£124.97", "£25.00", "£149.97"),
        ("5%", "£6.34", "£0.32", "£6.66"),
        ("0%", "£10.00", "£0.00", "£10.00"),
    ]
    assert (content.net, content.tax, content.total) == ("£141.31", "£25.32", "£166.63")


def test_it_names_seller_and_buyer_number_and_order(settings: Settings) -> None:
    settings.SELLER = "Pony Ltd\n2 Stable Lane"
    content = invoice()
    settings.SELLER = "Somebody else"
    order = Order.objects.get()
    assert content.seller == ["Pony Ltd", "2 Stable Lane"]
    assert content.buyer == ["Łukasz Żółć", "ul. Długa 7", "Łódź 90-001", "PL", "lukasz@example.com"]
    assert content.number.startswith("INV-")
    assert content.order == order.number


def test_it_tells_what_is_paid_and_what_is_to_be_paid() -> None:
    assert invoice(method="card").payment == "Paid by card"
    assert "pay the carrier" in invoice(method="cod").note


def test_words_that_are_longer_than_a_column_may_be_broken_and_no_others() -> None:
    assert breakable("Cast iron kettle") == "Cast iron kettle"
    long = "Donaudampfschifffahrtsgesellschaftskapitän"
    broken = breakable(f"The {long}, {long}")
    assert broken.replace("\N{ZERO WIDTH SPACE}", "") == f"The {long}, {long}"
    assert max(len(piece) for piece in re.split(r"[\s\u200b]", broken)) == 12


def test_a_currency_without_pence_has_none() -> None:
    assert invoice(currency="JPY").total == "¥16,663"
