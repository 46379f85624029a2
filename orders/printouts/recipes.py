"""What a kind of printout is made from: the statements that read its rows, and the function that makes pieces of them.

A piece is what one run of typst sets, about ten pages: however long the whole is, only a few pieces are in memory.
Typst keeps what it learned from its last ten runs, so bigger pieces cost ten times what they add: with forty pages each
the catalogue took 390 MB, with ten 190 MB and a fifth more time. A piece of a CSV is some thousand lines.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any, LiteralString

from orders import sql
from orders.models import Printout

Row = tuple[Any, ...]

# Orders that a printout names, or else those whose time $at is on its days, in UTC.
_CHOSEN: LiteralString = """
WITH chosen AS (
    SELECT o.* FROM orders_order o WHERE o.id = ANY(%(orders)s) AND $wanted
    UNION ALL
    SELECT o.* FROM $source
    WHERE cardinality(%(orders)s::bigint[]) = 0 AND $wanted
      AND $at >= %(since)s::date::timestamp AT TIME ZONE 'UTC'
      AND $at < (%(until)s::date + 1)::timestamp AT TIME ZONE 'UTC'
)
$select
"""


@dataclass(frozen=True, slots=True)
class Piece:
    """The text of some of the rows; `rows` is how many they are."""

    data: Mapping[str, Any]
    rows: int


@dataclass(frozen=True, slots=True)
class Recipe:
    """How one kind is made. Without a template the pieces have "lines" of a CSV.

    `counts` and `rows` are statements with the same parameters; `pieces` cuts the rows. A template finds its pictures
    in `root`. Raise `version` when the same rows and template are to look different.
    """

    counts: LiteralString
    rows: LiteralString
    pieces: Callable[[Printout, Iterable[Row]], Iterator[Piece]]
    template: Path | None = None
    root: Path | None = None
    version: int = 1


def parameters(printout: Printout) -> dict[str, Any]:
    """The parameters of every statement of a recipe."""
    return {"since": printout.since, "until": printout.until, "orders": printout.order_ids}


def of_orders(select: LiteralString, **parts: LiteralString) -> LiteralString:
    """A statement that reads from `chosen`, the orders of a printout: by default those placed on its days."""
    usual: dict[str, LiteralString] = {"source": "orders_order o", "at": "o.placed_at", "wanted": "true"}
    return sql.compose(_CHOSEN, select=select, **usual | parts)


def cut(rows: Iterable[Row], size: int, *, least: int = 0) -> Iterator[list[Row]]:
    """The rows in lists of so many. With `least` 1, no rows are one empty list: a page that says so."""
    left = iter(rows)
    while some := list(islice(left, size)):
        least = 0
        yield some
    if least:
        yield []
