"""The pick list: what to take from the shelves for the orders of some days, by SKU, with its sum and its orders."""

from collections.abc import Iterable, Iterator
from itertools import groupby
from pathlib import Path
from typing import LiteralString

from orders.models import Printout
from orders.models.order import number_of
from orders.printouts.labels import days
from orders.printouts.recipes import Piece, Recipe, Row, cut
from orders.printouts.slips import of_packed
from orders.typesetting import breakable

# How many SKUs are on the list.
_COUNTS: LiteralString = of_packed(
    "SELECT count(DISTINCT l.sku) FROM chosen JOIN orders_orderline l ON l.order_id = chosen.id"
)
# The pieces of each SKU for each order. A popular SKU goes into thousands of orders: its sum is in each of its rows.
_ROWS: LiteralString = of_packed("""
SELECT l.sku, l.name, l.order_id, l.quantity, sum(l.quantity) OVER (PARTITION BY l.sku)
FROM chosen JOIN orders_orderline l ON l.order_id = chosen.id
ORDER BY l.sku, l.order_id
""")
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
