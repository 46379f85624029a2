"""The figures of an invoice or credit note: items, and sums by tax rate. What is printed and what machines read come
from these, so the two cannot differ.

Prices include tax. The tax of an item is that within its gross amount, rounded by itself; all sums are sums of these,
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
    """A document's rows contradict each other: it is not printed, a person must look."""


@dataclass(frozen=True, slots=True)
class Item:
    """Pieces of one article, amounts in minor units: `gross` is what was charged for all of them, tax included."""

    name: str
    sku: str
    quantity: int
    unit_minor: int
    rate_bp: int
    gross: int
    tax: int


@dataclass(frozen=True, slots=True)
class Sum:
    """Of all items at one tax rate, in minor units."""

    rate_bp: int
    gross: int
    tax: int


@dataclass(frozen=True, slots=True)
class Figures:
    """Items in the order's order, and their sums, the highest tax rate first."""

    items: list[Item]
    sums: list[Sum]
    gross: int
    tax: int


def invoiced(document: Document, lines: Collection[OrderLine]) -> Figures:
    """The whole order. Raises DoesNotAddUp when its lines are not those that it was charged for."""
    found = _summed(
        Item(
            line.name,
            line.sku,
            line.quantity,
            line.unit_price_minor,
            line.tax_rate_bp,
            line.total_minor,
            tax_within(line.total_minor, line.tax_rate_bp),
        )
        for line in lines
    )
    order = document.order
    if (found.gross, found.tax) != (order.total_minor, order.tax_minor):
        raise DoesNotAddUp(
            f"{document}: the lines of order {order.number} come to {found.gross} with tax of {found.tax}, but it was "
            f"placed over {order.total_minor} with tax of {order.tax_minor}. Somebody changed its lines by hand."
        )
    return found


def credited(document: Document, lines: Collection[OrderLine], refunded: Collection[RefundLine]) -> Figures:
    """What the document's refund gave back, or the whole order if it has none, which was cancelled.

    `refunded` are the lines of all refunds of the order. The tax of pieces is what their line's tax grows by with them,
    so that the credit notes of a line credit its tax to the cent, in however many parts.
    """
    if document.refund is None:
        return invoiced(document, lines)
    items = []
    for line in lines:
        before = sum(
            one.quantity for one in refunded if one.line_id == line.pk and one.refund_id < document.refund.pk
        )
        now = sum(
            one.quantity for one in refunded if one.line_id == line.pk and one.refund_id == document.refund.pk
        )
        if now:
            unit, rate = line.unit_price_minor, line.tax_rate_bp
            tax = tax_within((before + now) * unit, rate) - tax_within(before * unit, rate)
            items.append(Item(line.name, line.sku, now, unit, rate, now * unit, tax))
    found = _summed(items)
    return (
        found if found.gross == document.refund.amount_minor else _part(document.refund.amount_minor, lines)
    )


def _part(amount: int, lines: Collection[OrderLine]) -> Figures:
    """An amount that no pieces explain: of each tax rate as much as it has of the order."""
    by_rate: dict[int, int] = defaultdict(int)
    for line in lines:
        by_rate[line.tax_rate_bp] += line.total_minor
    total = sum(by_rate.values())
    shares = {rate: amount * gross // total for rate, gross in by_rate.items()}
    left = amount - sum(shares.values())  # fewer than there are rates
    for rate in sorted(by_rate, key=lambda rate: -(amount * by_rate[rate] % total))[:left]:
        shares[rate] += 1
    return _summed(
        Item(PART_OF_THE_PRICE, "", 1, gross, rate, gross, tax_within(gross, rate))
        for rate, gross in sorted(shares.items(), reverse=True)
        if gross
    )


def _summed(items: Iterable[Item]) -> Figures:
    listed = list(items)
    sums: dict[int, tuple[int, int]] = {}
    for item in listed:
        gross, tax = sums.get(item.rate_bp, (0, 0))
        sums[item.rate_bp] = (gross + item.gross, tax + item.tax)
    found = [Sum(rate, *sums[rate]) for rate in sorted(sums, reverse=True)]
    return Figures(listed, found, sum(one.gross for one in found), sum(one.tax for one in found))
