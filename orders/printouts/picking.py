"""The pick list: what is to be taken from the shelves for the orders of some days, by SKU with its sum, and into which
orders it goes."""

from collections.abc import Iterable, Iterator
from itertools import groupby
from pathlib import Path

from orders.models import Printout
from orders.models.order import number_of
from orders.printouts.labels import days
from orders.printouts.recipes import Piece, Recipe, Row, cut
from orders.printouts.slips import PACKED
from orders.typesetting import breakable

_COUNTS = (
    PACKED
    + """
SELECT count(DISTINCT l.sku) FROM packed JOIN orders_orderline l ON l.order_id = packed.id
"""
)
# A SKU that half the country wants goes into thousands of orders: its sum stands in each of its rows.
_ROWS = (
    PACKED
    + """
SELECT l.sku, l.name, l.order_id, l.quantity, sum(l.quantity) OVER (PARTITION BY l.sku)
FROM packed JOIN orders_orderline l ON l.order_id = packed.id
ORDER BY l.sku, l.order_id
"""
)
_SKUS_A_PIECE = 300
_ORDERS_A_ROW = 60  # of one SKU; then a new row begins, which a page can break before


def _pieces(printout: Printout, rows: Iterable[Row]) -> Iterator[Piece]:
    for listed in cut(_listed(rows), _SKUS_A_PIECE, least=1):
        yield Piece({"days": days(printout), "rows": listed}, sum(bool(row[0]) for row in listed))


def _listed(rows: Iterable[Row]) -> Iterator[Row]:
    for sku, group in groupby(rows, key=lambda row: row[0]):
        for nth, some in enumerate(cut(group, _ORDERS_A_ROW)):
            _, name, _, _, total = some[0]
            orders = [f"{number_of(row[2])} × {row[3]:,}" for row in some]
            yield (
                (breakable(sku), breakable(name), f"{total:,}", orders) if nth == 0 else ("", "", "", orders)
            )


RECIPE = Recipe(_COUNTS, _ROWS, _pieces, Path(__file__).with_name("picking.typ"))
