"""Packing slips: a page an order with what goes into the parcel, for the orders of some days or for chosen ones."""

from collections.abc import Iterable, Iterator
from functools import partial
from itertools import groupby
from pathlib import Path
from typing import LiteralString

from django.conf import settings

from orders import sql
from orders.models import Printout
from orders.models.delivery import DELIVERED_TO, DELIVERY
from orders.models.order import number_of
from orders.printouts.recipes import Piece, Recipe, Row, of_orders
from orders.typesetting import address, breakable

# Statements about the orders to pack: chosen ones, or those whose parcel was requested on the printout's days. Orders
# that are cancelled or not paid are left out.
of_packed = partial(
    of_orders,
    source="orders_shipment s JOIN orders_order o ON o.id = s.order_id",
    at="s.requested_at",
    wanted="o.status IN ('reserved', 'paid', 'completed')",
)
# How many parcels there are.
_COUNTS: LiteralString = of_packed("SELECT count(*) FROM chosen")
# The lines of each parcel.
_ROWS: LiteralString = of_packed(
    sql.compose(
        """
SELECT o.id, $delivered_to, coalesce(s.carrier, ''),
       coalesce(s.tracking_number, ''), l.sku, l.name, l.quantity
FROM chosen o JOIN orders_orderline l ON l.order_id = o.id LEFT JOIN orders_shipment s ON s.order_id = o.id
$delivery
ORDER BY o.id, l.position
""",
        delivered_to=DELIVERED_TO,
        delivery=DELIVERY,
    )
)
_LINES_A_PIECE = 400


def _pieces(_: Printout, rows: Iterable[Row]) -> Iterator[Piece]:
    slips: list[dict[str, object]] = []
    lines, found = 0, False
    for order_id, group in groupby(rows, key=lambda row: row[0]):
        parcel = list(group)
        slips.append(_slip(order_id, parcel))
        found = True
        lines += len(parcel)
        if lines >= _LINES_A_PIECE:
            yield _piece(slips)
            slips, lines = [], 0
    if slips or not found:
        yield _piece(slips)


def _piece(slips: list[dict[str, object]]) -> Piece:
    return Piece({"seller": settings.SELLER.strip().splitlines(), "slips": slips}, len(slips))


def _slip(order_id: int, rows: list[Row]) -> dict[str, object]:
    _, name, line1, line2, city, postcode, country, carrier, tracking, *_ = rows[0]
    return {
        "order": number_of(order_id),
        "to": address((name, line1, line2), city, postcode, country),
        "carrier": f"{carrier} {tracking}".strip(),
        "lines": [[breakable(row[9]), breakable(row[10]), f"{row[11]:,}"] for row in rows],
        "pieces": f"{sum(row[11] for row in rows):,}",
    }


RECIPE = Recipe(_COUNTS, _ROWS, _pieces, Path(__file__).with_name("slips.typ"))
