"""What an invoice or credit note says, as printed: all from rows that never change once it is issued."""

from dataclasses import dataclass, replace

from orders.invoices.figures import Figures, Item, Sum
from orders.models import Document
from orders.money import format, percent
from orders.states import PaymentMethod
from orders.typesetting import address, breakable

_PAYMENT_WORDS = {PaymentMethod.CARD: "Paid by card", PaymentMethod.COD: "Cash on delivery"}
_NOTES = {
    PaymentMethod.CARD: "Paid in full. Thank you for your order.",
    PaymentMethod.COD: "Please pay the carrier on delivery. Thank you for your order.",
}
_CREDIT_WORDS = {PaymentMethod.CARD: "Back to your card", PaymentMethod.COD: "Nothing was paid"}
_CREDIT_NOTES = {
    PaymentMethod.CARD: "The amount goes back to the card that paid. Most banks show it within a few days.",
    PaymentMethod.COD: "The order was cancelled before it was paid: there is nothing to pay.",
}
# Of cash on delivery whose parcel came back.
_RETURNED_WORDS = "Nothing to pay"
_RETURNED = "The goods came back: there is nothing to pay for them. What was paid at the door goes back as it was paid."


@dataclass(frozen=True, slots=True)
class Row:
    """An article, or the sum of all at one tax rate, as printed."""

    rate: str
    net: str
    tax: str
    gross: str
    name: str = ""
    sku: str = ""
    quantity: str = ""
    unit: str = ""


@dataclass(frozen=True, slots=True)
class Content:
    """All that invoice.typ prints; `credits` is the invoice that a credit note credits, with its date."""

    title: str
    number: str
    date: str
    order: str
    ordered: str
    credits: str
    seller: list[str]
    buyer: list[str]
    payment: str
    note: str
    currency: str
    lines: list[Row]
    rates: list[Row]
    net: str
    tax: str
    total: str


def content_of(document: Document, figures: Figures, credits: Document | None = None) -> Content:
    """The document's order must be loaded; `credits` is the invoice, when it is a credit note."""
    order = document.order
    method = PaymentMethod(order.payment_method)
    return Content(
        title=document.get_kind_display(),
        number=document.number,
        date=f"{document.issued_on:%-d %B %Y}",
        order=order.number,
        ordered=f"{document.date_of(order.placed_at):%-d %B %Y}",
        credits=f"{credits.number} of {credits.issued_on:%-d %B %Y}" if credits else "",
        seller=document.seller.strip().splitlines() or [""],
        buyer=[
            *address((order.name, order.line1, order.line2), order.city, order.postcode, order.country),
            breakable(order.email),
        ],
        payment=_RETURNED_WORDS
        if _is_returned(document)
        else (_CREDIT_WORDS if credits else _PAYMENT_WORDS)[method],
        note=note_of(document),
        currency=order.currency,
        lines=[_article(item, order.currency) for item in figures.items],
        rates=[_row(one, order.currency) for one in figures.sums],
        net=format(figures.net, order.currency),
        tax=format(figures.tax, order.currency),
        total=format(figures.gross, order.currency),
    )


def note_of(document: Document) -> str:
    """How the document is settled, in a sentence."""
    if _is_returned(document):
        return _RETURNED
    notes = _NOTES if document.kind == Document.Kind.INVOICE else _CREDIT_NOTES
    return notes[PaymentMethod(document.order.payment_method)]


def _is_returned(document: Document) -> bool:
    return document.refund is not None and document.order.payment_method == PaymentMethod.COD


def _article(item: Item, currency: str) -> Row:
    return replace(
        _row(item, currency),
        name=breakable(item.name),
        sku=breakable(item.sku),
        quantity=f"{item.quantity:,}",
        unit=format(item.unit_minor, currency),
    )


def _row(one: Sum, currency: str) -> Row:
    return Row(percent(one.rate_bp), *(format(amount, currency) for amount in (one.net, one.tax, one.gross)))
