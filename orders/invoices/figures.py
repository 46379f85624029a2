"""The figures of an invoice or credit note: items, and sums by tax rate. Page and XML are both made from them.

Prices include tax. The tax of an item is that within its gross amount, rounded by itself. All sums are sums of items,
so that everything adds up to the cent, and to what was charged.
"""

from collections import defaultdict
from collections.abc import Collection, Iterable
from dataclasses import dataclass

from orders.models import Document, OrderLine, RefundLine
from orders.money import tax_within

# What a credit note credits when the refund's amount is not the price of its pieces.
PART_OF_THE_PRICE = "Part of the price"


class DoesNotAddUp(Exception):
    """A document's rows contradict each other: it is not printed, and a person must look."""


@dataclass(frozen=True, slots=True)
class Amounts:
    """In minor units; `gross` includes the tax."""

    gross: int
    tax: int

    @property
    def net(self) -> int:
        return self.gross - self.tax


@dataclass(frozen=True, slots=True)
class Sum(Amounts):
    """Of all items at one tax rate."""

    rate_bp: int


@dataclass(frozen=True, slots=True)
class Item(Sum):
    """Pieces of one article, and what was charged for all of them."""

    name: str
    sku: str
    quantity: int
    unit_minor: int


@dataclass(frozen=True, slots=True)
class Figures(Amounts):
    """Items in the order's order, and their sums, the highest tax rate first."""

    items: list[Item]
    sums: list[Sum]


def invoiced(document: Document, lines: Collection[OrderLine]) -> Figures:
    """The whole order. Raises DoesNotAddUp when its lines do not come to what was charged."""
    found = _summed(_item(line, line.quantity) for line in lines)
    order = document.order
    if (found.gross, found.tax) != (order.total_minor, order.tax_minor):
        raise DoesNotAddUp(
            f"{document}: the lines of order {order.number} come to {found.gross} with tax of {found.tax}, but it was "
            f"placed over {order.total_minor} with tax of {order.tax_minor}. Somebody changed its lines by hand."
        )
    return found


def credited(document: Document, lines: Collection[OrderLine], refunded: Collection[RefundLine]) -> Figures:
    """What the document's refund gave back. A document without a refund credits the whole order, which was cancelled.

    `refunded` are the lines of all refunds of the order. The tax of pieces is the growth of their line's tax with them,
    so that the credit notes of a line credit its tax to the cent, in however many parts.
    """
    if document.refund is None:
        return invoiced(document, lines)
    this, items = document.refund.pk, []
    for line in lines:
        mine = [one for one in refunded if one.line_id == line.pk]
        before = sum(one.quantity for one in mine if one.refund_id < this)
        now = sum(one.quantity for one in mine if one.refund_id == this)
        if now:
            items.append(_item(line, now, before))
    found = _summed(items)
    return (
        found if found.gross == document.refund.amount_minor else _part(document.refund.amount_minor, lines)
    )


def _item(line: OrderLine, quantity: int, before: int = 0) -> Item:
    """So many pieces of a line, of which `before` were credited earlier."""
    unit, rate = line.unit_price_minor, line.tax_rate_bp
    tax = tax_within((before + quantity) * unit, rate) - tax_within(before * unit, rate)
    return Item(quantity * unit, tax, rate, line.name, line.sku, quantity, unit)


def _part(amount: int, lines: Collection[OrderLine]) -> Figures:
    """An amount that no pieces explain, shared among the tax rates as the order is."""
    by_rate: dict[int, int] = defaultdict(int)
    for line in lines:
        by_rate[line.tax_rate_bp] += line.total_minor
    total = sum(by_rate.values())
    shares = {rate: amount * gross // total for rate, gross in by_rate.items()}
    left = amount - sum(shares.values())  # fewer than there are rates
    for rate in sorted(by_rate, key=lambda rate: -(amount * by_rate[rate] % total))[:left]:
        shares[rate] += 1
    return _summed(
        Item(gross, tax_within(gross, rate), rate, PART_OF_THE_PRICE, "", 1, gross)
        for rate, gross in sorted(shares.items(), reverse=True)
        if gross
    )


def _summed(items: Iterable[Item]) -> Figures:
    listed = list(items)
    sums: dict[int, tuple[int, int]] = {}
    for item in listed:
        gross, tax = sums.get(item.rate_bp, (0, 0))
        sums[item.rate_bp] = (gross + item.gross, tax + item.tax)
    found = [Sum(*sums[rate], rate) for rate in sorted(sums, reverse=True)]
    return Figures(sum(one.gross for one in found), sum(one.tax for one in found), listed, found)
