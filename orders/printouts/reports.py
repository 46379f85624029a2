"""Reports of orders, placed on some days: as pages for people and as CSV for spreadsheets and programs."""

from collections.abc import Iterable, Iterator
from decimal import Decimal
from pathlib import Path
from typing import LiteralString

from django.utils.formats import date_format

from orders.models import Printout
from orders.models.order import number_of
from orders.money import decimals, format
from orders.printouts.labels import days, status
from orders.printouts.recipes import Piece, Recipe, Row, cut
from orders.typesetting import breakable

_WANTED: LiteralString = """
WITH wanted AS (
    SELECT o.* FROM orders_order o WHERE o.id = ANY(%(orders)s)
    UNION ALL
    SELECT o.* FROM orders_order o
    WHERE cardinality(%(orders)s::bigint[]) = 0
      AND o.placed_at >= %(since)s::date::timestamp AT TIME ZONE 'UTC'
      AND o.placed_at < (%(until)s::date + 1)::timestamp AT TIME ZONE 'UTC'
)
"""
_COUNTS = _WANTED + "SELECT count(*) FROM wanted"  # noqa: S608 (constants)
_ROWS = (
    _WANTED  # noqa: S608 (constants)
    + """
SELECT o.id, o.placed_at, o.status, o.name, o.email, o.country, o.payment_method, o.currency,
       o.total_minor, o.tax_minor,
       coalesce((SELECT sum(r.amount_minor) FROM orders_refund r WHERE r.order_id = o.id), 0)::bigint,
       (SELECT sum(l.quantity) FROM orders_orderline l WHERE l.order_id = o.id)::bigint
FROM wanted o ORDER BY o.id
"""
)
_HEADINGS = (
    "order", "placed_at", "status", "name", "email", "country", "payment_method", "currency", "total", "tax",
    "refunded", "pieces",
)  # fmt: skip
_ORDERS_A_PIECE = 400
_LINES_A_PIECE = 5_000
# With these a spreadsheet begins a formula, and a buyer may be called anything.
_FORMULA = ("=", "+", "-", "@", "\t", "\r")


def _pages(printout: Printout, rows: Iterable[Row]) -> Iterator[Piece]:
    """The last piece has the sums, by currency and status."""
    sums: dict[tuple[str, str], list[int]] = {}
    held: list[Row] | None = None
    for some in cut(rows, _ORDERS_A_PIECE, least=1):
        if held is not None:
            yield _page(printout, held, [])
        held = some
        for _, _, state, _, _, _, _, currency, total, tax, refunded, _ in some:
            one = sums.setdefault((currency, state), [0, 0, 0, 0])
            for place, amount in enumerate((1, total, tax, refunded)):
                one[place] += amount
    if held is not None:
        yield _page(printout, held, _summed(sums))


def _page(printout: Printout, rows: list[Row], sums: list[list[str]]) -> Piece:
    said = [
        [
            number_of(row[0]),
            date_format(row[1], "j M Y H:i"),
            status(row[2]),
            breakable(row[3]),
            row[5],
            f"{row[11]:,}",
            format(row[9], row[7]),
            format(row[8], row[7]),
            format(row[10], row[7]) if row[10] else "",
        ]
        for row in rows
    ]
    return Piece({"days": days(printout), "rows": said, "sums": sums}, len(rows))


def _summed(sums: dict[tuple[str, str], list[int]]) -> list[list[str]]:
    said = [
        [status(state), f"{one[0]:,}", *(format(amount, currency) for amount in one[1:])]
        for (currency, state), one in sorted(sums.items())
    ]
    for currency in sorted({currency for currency, _ in sums}):
        of_it = [one for (other, _), one in sums.items() if other == currency]
        whole = [sum(amounts) for amounts in zip(*of_it, strict=True)]
        said.append(
            [f"All in {currency}", f"{whole[0]:,}", *(format(amount, currency) for amount in whole[1:])]
        )
    return said


def _lines(_: Printout, rows: Iterable[Row]) -> Iterator[Piece]:
    yield Piece({"lines": [_HEADINGS]}, 0)
    for some in cut(rows, _LINES_A_PIECE):
        yield Piece({"lines": [_line(row) for row in some]}, len(some))


def _line(row: Row) -> list[str]:
    order_id, placed_at, state, name, email, country, method, currency, total, tax, refunded, pieces = row
    return [
        number_of(order_id),
        placed_at.isoformat(timespec="seconds"),
        state,
        _harmless(name),
        _harmless(email),
        country,
        method,
        currency,
        *(str(Decimal(minor).scaleb(-decimals(currency))) for minor in (total, tax, refunded)),
        str(pieces),
    ]


def _harmless(text: str) -> str:
    return f"'{text}" if text.startswith(_FORMULA) else text


PAGES = Recipe(_COUNTS, _ROWS, _pages, Path(__file__).with_name("report.typ"))
LINES = Recipe(_COUNTS, _ROWS, _lines)
