"""What a kind of printout is made of: where its rows come from, and how they become pieces.

A piece is what one run of typst sets, some ten pages: however long the whole is, no more than a few pieces of it are in
memory. Typst keeps what it learned from its last ten runs, so bigger pieces cost ten times what they add: with forty
pages each the catalogue took 390 MB, with ten 190 MB and a fifth more time. A CSV's piece is some thousand lines.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, LiteralString

from orders.models import Printout

Row = tuple[Any, ...]


@dataclass(frozen=True, slots=True)
class Piece:
    """Some of the rows in words; `rows` is how many they are."""

    data: Mapping[str, Any]
    rows: int


@dataclass(frozen=True, slots=True)
class Recipe:
    """`counts` and `rows` are statements of the same parameters; `pieces` cuts the rows. Without a template the pieces
    have "lines" of a CSV. `root` is the folder within which a template finds its pictures."""

    counts: LiteralString
    rows: LiteralString
    pieces: Callable[[Printout, Iterable[Row]], Iterator[Piece]]
    template: Path | None = None
    root: Path | None = None
    version: int = (
        1  # to be raised when the same rows are to look otherwise, and the template does not say so
    )


def parameters(printout: Printout) -> dict[str, Any]:
    """What every statement of a recipe may refer to."""
    return {"since": printout.since, "until": printout.until, "orders": printout.order_ids}


def cut(rows: Iterable[Row], size: int, *, least: int = 0) -> Iterator[list[Row]]:
    """The rows in lists of so many; with `least` 1 a list of nothing where there are none, for who prints that."""
    held: list[Row] = []
    found = 0
    for row in rows:
        found += 1
        held.append(row)
        if len(held) == size:
            yield held
            held = []
    if held or found < least:
        yield held
