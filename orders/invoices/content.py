"""What an invoice says, in words as they are printed: all from rows that never change once it is issued."""

from collections import defaultdict
from collections.abc import Collection
from dataclasses import dataclass

from orders.models import Document, Order, OrderLine
from orders.money import format, percent, tax_within
from orders.states import PaymentMethod

_PAYMENT_WORDS = {PaymentMethod.CARD: "Paid by card", PaymentMethod.COD: "Cash on delivery"}
_NOTES = {
    PaymentMethod.CARD: "Paid in full. Thank you for your order.",
    PaymentMethod.COD: "Please pay the carrier on delivery. Thank you for your order.",
}


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
    """All that invoice.typ prints."""

    number: str
    date: str
    order: str
    ordered: str
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


def content_of(document: Document, lines: Collection[OrderLine]) -> Content:
    """Its order must be at hand, `lines` in the order's order. Tax is that of each line, so that it adds up."""
    order = document.order
    sums: dict[int, tuple[int, int]] = defaultdict(lambda: (0, 0))
    for line in lines:
        gross, tax = sums[line.tax_rate_bp]
        sums[line.tax_rate_bp] = (
            gross + line.total_minor,
            tax + tax_within(line.total_minor, line.tax_rate_bp),
        )
    method = PaymentMethod(order.payment_method)
    return Content(
        number=document.number,
        date=f"{document.issued_at:%-d %B %Y}",
        order=order.number,
        ordered=f"{order.placed_at:%-d %B %Y}",
        seller=document.seller.strip().splitlines() or [""],
        buyer=_address(order),
        payment=_PAYMENT_WORDS[method],
        note=_NOTES[method],
        currency=order.currency,
        lines=[
            _row(
                line.total_minor,
                tax_within(line.total_minor, line.tax_rate_bp),
                line.tax_rate_bp,
                order.currency,
                name=line.name,
                sku=line.sku,
                quantity=f"{line.quantity:,}",
                unit=format(line.unit_price_minor, order.currency),
            )
            for line in lines
        ],
        rates=[
            _row(gross, tax, rate, order.currency)
            for rate, (gross, tax) in sorted(sums.items(), reverse=True)
        ],
        net=format(order.net_minor, order.currency),
        tax=format(order.tax_minor, order.currency),
        total=format(order.total_minor, order.currency),
    )


def _row(gross: int, tax: int, rate_bp: int, currency: str, **article: str) -> Row:
    return Row(
        rate=percent(rate_bp),
        net=format(gross - tax, currency),
        tax=format(tax, currency),
        gross=format(gross, currency),
        **article,
    )


def _address(order: Order) -> list[str]:
    lines = [order.name, order.line1, order.line2, f"{order.city} {order.postcode}".strip(), order.country]
    return [line for line in [*lines, order.email] if line]
