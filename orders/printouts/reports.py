"""Reports of orders: as pages for people, and as CSV for spreadsheets and programs."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import LiteralString, NamedTuple

from django.utils.formats import date_format
from django.utils.timezone import get_current_timezone_name, localtime

from orders.models import Printout
from orders.models.order import number_of
from orders.money import decimals, format
from orders.printouts.labels import days
from orders.printouts.recipes import Piece, Recipe, Row, cut, of_orders
from orders.states import OrderStatus
from orders.typesetting import breakable

# How many orders are in it.
_COUNTS: LiteralString = of_orders("SELECT count(*) FROM chosen")
# The fields of _Order.
_ROWS: LiteralString = of_orders("""
SELECT o.id, o.placed_at, o.status, o.name, o.email, o.country, o.payment_method, o.currency,
       o.total_minor, o.tax_minor,
       coalesce((SELECT sum(r.amount_minor) FROM orders_refund r WHERE r.order_id = o.id), 0)::bigint,
       (SELECT sum(l.quantity) FROM orders_orderline l WHERE l.order_id = o.id)::bigint
FROM chosen o ORDER BY o.id
""")
_ORDERS_A_PIECE = 400
_LINES_A_PIECE = 5_000
# A spreadsheet takes a text that begins with one of these for a formula, and a buyer's name may be anything.
# So do some with those of full width.
_FORMULA = ("=", "+", "-", "@", "\t", "\r", "＝", "＋", "－", "＠")


class _Order(NamedTuple):
    """The names are the headings of the CSV. Amounts in minor units."""

    order: int
    placed_at: datetime
    status: str
    name: str
    email: str
    country: str
    payment_method: str
    currency: str
    total: int
    tax: int
    refunded: int
    pieces: int


def _pages(printout: Printout, rows: Iterable[Row]) -> Iterator[Piece]:
    """The last piece has the sums, by currency and status."""
    sums: dict[tuple[str, str], list[int]] = defaultdict(lambda: [0, 0, 0, 0])
    pieces = cut(rows, _ORDERS_A_PIECE, least=1)
    some = next(pieces, None)
    while some is not None:
        orders = [_Order(*row) for row in some]
        for one in orders:
            for place, amount in enumerate((1, one.total, one.tax, one.refunded)):
                sums[one.currency, one.status][place] += amount
        some = next(pieces, None)
        yield _page(printout, orders, [] if some else _summed(sums))


def _page(printout: Printout, orders: list[_Order], sums: list[list[str]]) -> Piece:
    rows = [
        [
            number_of(one.order),
            date_format(localtime(one.placed_at), "j M Y H:i"),
            OrderStatus(one.status).label,
            breakable(one.name),
            one.country,
            f"{one.pieces:,}",
            format(one.tax, one.currency),
            format(one.total, one.currency),
            format(one.refunded, one.currency) if one.refunded else "",
        ]
        for one in orders
    ]
    said = {"days": days(printout), "zone": get_current_timezone_name(), "rows": rows, "sums": sums}
    return Piece(said, len(rows))


def _summed(sums: Mapping[tuple[str, str], list[int]]) -> list[list[str]]:
    def row(name: str, currency: str, counted: Sequence[int]) -> list[str]:
        return [name, f"{counted[0]:,}", *(format(amount, currency) for amount in counted[1:])]

    rows = [
        row(OrderStatus(state).label, currency, counted)
        for (currency, state), counted in sorted(sums.items())
    ]
    for currency in sorted({currency for currency, _ in sums}):
        counted = [one for (other, _), one in sums.items() if other == currency]
        rows.append(
            row(f"All in {currency}", currency, [sum(amounts) for amounts in zip(*counted, strict=True)])
        )
    return rows


def _lines(_: Printout, rows: Iterable[Row]) -> Iterator[Piece]:
    yield Piece({"lines": [_Order._fields]}, 0)
    for some in cut(rows, _LINES_A_PIECE):
        yield Piece({"lines": [_line(_Order(*row)) for row in some]}, len(some))


def _line(one: _Order) -> list[str]:
    amounts = (one.total, one.tax, one.refunded)
    return [
        number_of(one.order),
        localtime(one.placed_at).isoformat(timespec="seconds"),
        one.status,
        _harmless(one.name),
        _harmless(one.email),
        one.country,
        one.payment_method,
        one.currency,
        *(str(Decimal(minor).scaleb(-decimals(one.currency))) for minor in amounts),
        str(one.pieces),
    ]


def _harmless(text: str) -> str:
    return f"'{text}" if text.startswith(_FORMULA) else text


PAGES = Recipe(_COUNTS, _ROWS, _pages, Path(__file__).with_name("report.typ"))
LINES = Recipe(_COUNTS, _ROWS, _lines)
