"""Stock: reserving it for orders, putting it back, letting it go with a shipment, and stocking up.

Orders never get more than there is: rows are locked in SKU order and changed by one statement for all lines of all
orders of a batch. CHECK constraints stand behind that. Every movement is written to a ledger in the same transaction,
at most once for an order, and the audit adds the ledger up.
"""

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from typing import LiteralString

from django.db import IntegrityError, transaction

from orders import scheduling, sql
from orders.crashpoints import Point, reached
from orders.locking import lock_orders, lock_stock
from orders.models import StockMovement
from orders.providers.failures import Outcome
from orders.states import FAILED_STATES, OrderStatus

# The lines of these orders.
_LINES: LiteralString = """
SELECT order_id, sku, quantity FROM orders_orderline WHERE order_id = ANY(%(ids)s) ORDER BY order_id, position
"""
# Hold the stock of these orders, and write the ledger.
_RESERVE: LiteralString = """
WITH moved AS (
    INSERT INTO orders_stockmovement (sku, order_id, kind, quantity)
    SELECT sku, order_id, 'reserved', quantity FROM orders_orderline WHERE order_id = ANY(%(ids)s)
)
UPDATE orders_stockitem s SET on_hand = on_hand - taken.quantity, reserved = reserved + taken.quantity
FROM unnest(%(skus)s::text[], %(quantities)s::bigint[]) AS taken (sku, quantity)
WHERE s.sku = taken.sku
"""
# What these orders hold: reserved, and neither released nor sold since.
HELD: LiteralString = """
SELECT order_id, sku, quantity FROM orders_stockmovement m
WHERE order_id = ANY(%(ids)s) AND kind = 'reserved' AND NOT EXISTS (
    SELECT FROM orders_stockmovement later
    WHERE later.order_id = m.order_id AND later.sku = m.sku AND later.kind IN ('released', 'sold'))
"""
# Release or sell what these orders hold, and write the ledger.
_LET_GO: LiteralString = """
WITH moved AS (
    INSERT INTO orders_stockmovement (sku, order_id, kind, quantity)
    SELECT sku, order_id, %(kind)s, quantity
    FROM unnest(%(line_skus)s::text[], %(line_orders)s::bigint[], %(line_quantities)s::bigint[])
         AS line (sku, order_id, quantity)
)
UPDATE orders_stockitem s
SET reserved = reserved - gone.quantity,
    on_hand = on_hand + CASE WHEN %(kind)s = 'released' THEN gone.quantity ELSE 0 END,
    sold = sold + CASE WHEN %(kind)s = 'sold' THEN gone.quantity ELSE 0 END
FROM unnest(%(skus)s::text[], %(quantities)s::bigint[]) AS gone (sku, quantity)
WHERE s.sku = gone.sku
"""
# Rows for SKUs that were never stocked, without a piece.
_MAKE: LiteralString = """
INSERT INTO orders_stockitem (sku, stocked, on_hand, reserved, sold)
SELECT sku, 0, 0, 0, 0 FROM unnest(%(skus)s::text[]) AS one (sku) ORDER BY sku
ON CONFLICT (sku) DO NOTHING RETURNING sku
"""
# More pieces came in, or less than none are gone.
_TAKE_IN: LiteralString = """
WITH came AS (
    SELECT * FROM unnest(%(skus)s::text[], %(quantities)s::bigint[]) AS one (sku, quantity)
), moved AS (
    INSERT INTO orders_stockmovement (sku, kind, quantity) SELECT sku, 'stocked', quantity FROM came WHERE quantity <> 0
)
UPDATE orders_stockitem s SET stocked = stocked + came.quantity, on_hand = on_hand + came.quantity
FROM came WHERE s.sku = came.sku
"""
# What came in of these, how many of it by the catalogue's files, and what is free to sell.
_CAME_IN: LiteralString = (
    "SELECT sku, stocked, filed, on_hand FROM orders_stockitem WHERE sku = ANY(%(skus)s)"
)
# Note what the catalogue's files have said.
_FILE: LiteralString = """
UPDATE orders_stockitem s SET filed = file.level
FROM unnest(%(skus)s::text[], %(levels)s::bigint[]) AS file (sku, level) WHERE s.sku = file.sku
"""
# Free to sell.
_ON_HAND: LiteralString = "SELECT sku, on_hand FROM orders_stockitem WHERE sku = ANY(%(skus)s)"
MOST = 10**9  # pieces that come in at once


@dataclass(frozen=True, slots=True)
class Reservation(Outcome):
    """`done` are the orders whose stock is held now, `out_of_stock` those for which there was too little."""

    out_of_stock: list[int] = field(default_factory=list)


class StockTooLow(Exception):
    """More was to be taken away than is free to sell; `skus` names of what."""

    def __init__(self, skus: Collection[str]) -> None:
        self.skus = sorted(skus)
        super().__init__(
            f"More than that is already reserved or sold of {', '.join(self.skus)}. Nothing was changed."
        )


class LevelsRefused(Exception):
    """A file's levels of stock cannot be booked, and none was; `reasons` says why, by SKU."""

    def __init__(self, reasons: Mapping[str, str]) -> None:
        self.reasons = dict(reasons)
        super().__init__("; ".join(f"{sku}: {reason}" for sku, reason in self.reasons.items()))


def reserve(ids: Collection[int]) -> Reservation:
    """Hold the stock of each order that is `placed`, whole or not at all, first come first served.

    1. Lock the orders, then the stock of all their lines.
    2. Allocate in the order in which they were placed; an order short of anything gets nothing and ends `out_of_stock`.
    3. Write stock, ledger, states and events. A short order never fails its batch.
    """
    with transaction.atomic():
        placed = lock_orders(ids, [OrderStatus.PLACED])
        lines: dict[int, list[tuple[str, int]]] = {order_id: [] for order_id in placed}
        for order_id, sku, quantity in sql.rows(_LINES, {"ids": placed}):
            lines[order_id].append((sku, quantity))
        left = lock_stock({sku for wanted in lines.values() for sku, _ in wanted})
        taken: dict[str, int] = defaultdict(int)
        enough: list[int] = []
        short: dict[int, str] = {}
        for order_id, wanted in lines.items():
            missing = [sku for sku, quantity in wanted if left.get(sku, 0) < quantity]
            if missing:
                short[order_id] = f"Too little left of {', '.join(missing)}."
                continue
            enough.append(order_id)
            for sku, quantity in wanted:
                left[sku] -= quantity
                taken[sku] += quantity
        if enough:
            params = {"ids": enough, "skus": list(taken), "quantities": list(taken.values())}
            _all_changed(sql.count(_RESERVE, params), taken)
        scheduling.advance(enough, [OrderStatus.PLACED], OrderStatus.RESERVED)
        scheduling.advance(short, [OrderStatus.PLACED], OrderStatus.OUT_OF_STOCK, then="now")
        reached(Point.RESERVE_BEFORE_COMMIT, ids)
    reached(Point.RESERVE_AFTER_COMMIT, ids)
    return Reservation(done=enough, failed=[], out_of_stock=list(short))


def release(ids: Collection[int]) -> list[int]:
    """Put back what failed and cancelled orders still hold; returns the orders that are such."""
    with transaction.atomic():
        failed = lock_orders(ids, FAILED_STATES)
        _let_go(failed, StockMovement.Kind.RELEASED)
        reached(Point.RELEASE_BEFORE_COMMIT, ids)
    reached(Point.RELEASE_AFTER_COMMIT, ids)
    return failed


def let_go_with_shipment(ids: Collection[int]) -> None:
    """Sell what these orders hold. Call it in the transaction that books their shipment and holds their locks."""
    _let_go(ids, StockMovement.Kind.SOLD)


def _let_go(ids: Collection[int], kind: StockMovement.Kind) -> None:
    held = sql.rows(HELD, {"ids": list(ids)})
    if not held:
        return
    totals: dict[str, int] = defaultdict(int)
    for _, sku, quantity in held:
        totals[sku] += quantity
    lock_stock(totals)
    changed = sql.count(
        _LET_GO,
        {
            "line_skus": [sku for _, sku, _ in held],
            "line_orders": [order_id for order_id, _, _ in held],
            "line_quantities": [quantity for _, _, quantity in held],
            "kind": kind.value,
            "skus": list(totals),
            "quantities": list(totals.values()),
        },
    )
    _all_changed(changed, totals)


def _all_changed(changed: int, totals: Mapping[str, int]) -> None:
    if changed != len(totals):
        raise IntegrityError(
            f"{len(totals) - changed} of {len(totals)} stock rows are gone: {sorted(totals)[:20]}"
        )


def on_hand(skus: Iterable[str]) -> dict[str, int]:
    """Pieces free to sell at this moment, by SKU; an SKU that was never stocked is absent."""
    return dict(sql.rows(_ON_HAND, {"skus": list(skus)}))


def take_in(pieces: Mapping[str, int]) -> None:
    """So many more pieces came in, such as those that a buyer sent back. The ledger keeps them as sold, and stocks them
    once more. Call it in the transaction that says why."""
    lock_stock(pieces)
    _all_changed(sql.count(_TAKE_IN, {"skus": list(pieces), "quantities": list(pieces.values())}), pieces)


def change_by(pieces: Mapping[str, int]) -> None:
    """So many more pieces came in of each SKU, or with a minus are gone; an SKU that was never stocked is from now on.

    Raises StockTooLow, and changes nothing, when more would be gone than is free to sell.
    """
    with transaction.atomic():
        sql.rows(_MAKE, {"skus": list(pieces)})
        left = lock_stock(pieces)
        if too_low := [sku for sku, quantity in pieces.items() if left[sku] + quantity < 0]:
            raise StockTooLow(too_low)
        take_in(pieces)


def book_file(levels: Mapping[str, int | None]) -> int:
    """Book what is new in a file that says how many pieces it ever brought in; returns how many SKUs that changed.

    Only the difference from what files said before is booked. So a file that is imported again takes back nothing that
    came in by another way: sent back by a buyer, or booked by a person. None is a file that does not say; an SKU that
    was never stocked has none from then on. Raises LevelsRefused, and changes nothing.
    """
    with transaction.atomic():
        new = {sku for (sku,) in sql.rows(_MAKE, {"skus": list(levels)})}
        lock_stock(levels)
        changes: dict[str, int] = {}
        refused: dict[str, str] = {}
        for sku, stocked, filed, left in sql.rows(_CAME_IN, {"skus": list(levels)}):
            level = levels[sku]
            if level is None or level == filed:
                continue
            change = level - (stocked if filed is None else filed)
            if filed is None and stocked and change:
                refused[sku] = (
                    f"{stocked:,} came in without a file, and whether these {level:,} are among them nobody can know; "
                    f"say {stocked:,} to count on from there, or leave it empty"
                )
            elif left + change < 0:
                refused[sku] = f"it takes {-change:,} away, but all but {left:,} are already reserved or sold"
            changes[sku] = change
        if refused:
            raise LevelsRefused(refused)
        take_in({sku: change for sku, change in changes.items() if change})
        sql.count(_FILE, {"skus": list(changes), "levels": [levels[sku] for sku in changes]})
    return len(new | {sku for sku, change in changes.items() if change})
