"""What a kind of printout is made from: the statements that read its rows, and the function that makes pieces of them.

A piece is what one run of typst sets, about ten pages: however long the whole is, only a few pieces are in memory.
Typst keeps what it learned from its last ten runs, so bigger pieces cost ten times what they add: with forty pages each
the catalogue took 390 MB, with ten 190 MB and a fifth more time. A piece of a CSV is some thousand lines.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from itertools import islice
from pathlib import Path
from typing import Any, LiteralString

from django.utils import timezone

from orders import sql
from orders.models import Printout

Row = tuple[Any, ...]

# Orders that a printout names, or else those whose time $at is on its days.
_CHOSEN: LiteralString = """
WITH chosen AS (
    SELECT o.* FROM orders_order o WHERE o.id = ANY(%(orders)s) AND $wanted
    UNION ALL
    SELECT o.* FROM $source
    WHERE cardinality(%(orders)s::bigint[]) = 0 AND $wanted
      AND $at >= %(since)s::timestamptz AND $at < %(until)s::timestamptz
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
    """The parameters of every statement of a recipe; days are those of the shop's time zone, `until` included."""
    return {
        "since": _begin_of(printout.since),
        "until": _begin_of(printout.until + timedelta(days=1)) if printout.until else None,
        "orders": printout.order_ids,
    }


def _begin_of(day: date | None) -> datetime | None:
    return timezone.make_aware(datetime.combine(day, time.min)) if day else None


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
