"""Makes a printout in bounded memory, and can be stopped at any moment.

1. Read the rows as one snapshot, on a connection of its own (this one renews the lease meanwhile), and write them to
   the scratch folder in pieces. Hash what they say on the way.
2. When a printout with the same hash was made already, take its file.
3. Else set piece by piece, and put the pieces together; the file gets its name when it is whole.
4. Mark the row done, if it is still ours.

Between pieces the lease is renewed, which finds out whether the printout was cancelled or taken over. A process that
dies leaves no file, and a scratch folder that the next attempt deletes.
"""

import csv
import hashlib
import io
import shutil
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, LiteralString

import orjson

from orders import files, sql
from orders.database.snapshot import snapshot
from orders.lease import ENDED, Lease, Table
from orders.models import Printout
from orders.printouts.joining import join, pages_of
from orders.printouts.recipes import Recipe, Row, parameters
from orders.typesetting import typeset

_SCRATCH = "printouts/work"

PRINTOUTS = Table(
    "orders_printout",
    wanted="state IN ('waiting', 'making')",
    on_take=", state = 'making', started_at = coalesce(started_at, now()), rows_done = 0",
    on_renew=", rows_done = %(rows)s",
    on_release=", state = 'waiting'",
)

# How many rows go into it.
_COUNTED: LiteralString = (
    "UPDATE orders_printout SET rows_total = %(rows)s WHERE id = %(id)s AND holder = %(holder)s"
)
# Its file is whole.
_DONE: LiteralString = sql.compose(
    """
UPDATE orders_printout
SET state = 'done', ended_at = now(), rows_done = rows_total, file = %(file)s, content_hash = %(hash)s,
    pages = %(pages)s, size = %(size)s, $ended
WHERE id = %(id)s AND holder = %(holder)s AND state = 'making'
""",
    ended=ENDED,
)
# Give up: nobody tries again before a person says so.
_FAILED: LiteralString = """
UPDATE orders_printout
SET state = 'failed', problem = %(problem)s, ended_at = now(), due_at = NULL, holder = NULL
WHERE id = %(id)s AND state IN ('waiting', 'making')
"""


def give_up(printout: Printout, error: BaseException) -> bool:
    """Leave the printout to a person; False when it has ended meanwhile."""
    problem = f"{type(error).__name__}: {error}"[:1_000]
    return bool(sql.count(_FAILED, {"id": printout.pk, "problem": problem}))


@dataclass(slots=True)
class _Work:
    """A printout being made, and its lease, which is renewed with the number of rows done."""

    printout: Printout
    lease: Lease
    rows: int = 0

    def alive(self, rows: int = 0, *, now: bool = False) -> None:
        """So many more rows are done. Raises LeaseLost."""
        self.rows += rows
        renew = self.lease.renew if now else self.lease.renew_in_time
        renew(rows=self.rows)


def make(printout: Printout, recipe: Recipe, lease: Lease) -> None:
    """Make the printout, which is held under this lease. Raises LeaseLost when it was cancelled or taken over."""
    work, ours = _Work(printout, lease), {"id": printout.pk, "holder": lease.holder}
    scratch = files.path_of(f"{_SCRATCH}/{printout.pk}-{lease.holder}")
    for left in scratch.parent.glob(f"{printout.pk}-*"):  # by an attempt that died
        shutil.rmtree(left, ignore_errors=True)
    scratch.mkdir(parents=True)
    try:
        with snapshot() as read:
            [(total,)] = read(recipe.counts, parameters(printout))
            sql.count(_COUNTED, {**ours, "rows": total})
            pieces, content = _gather(work, recipe, read(recipe.rows, parameters(printout)), scratch)
        file = f"printouts/{content[:2]}/{content}.{printout.suffix}"
        if not (made := _made_before(content, file)):
            with files.putting(file) as whole:
                pages = (
                    _set(work, recipe.template, recipe.root, pieces, whole)
                    if recipe.template
                    else _write_lines(work, pieces, whole)
                )
            made = (pages, files.path_of(file).stat().st_size)
        sql.count(_DONE, {**ours, "file": file, "hash": content, "pages": made[0], "size": made[1]})
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


def _made_before(content: str, file: str) -> tuple[int, int] | None:
    """Pages and size of a printout with the same content, if its file is there."""
    found = Printout.objects.filter(state=Printout.State.DONE, content_hash=content).first()
    return (found.pages, found.size) if found and files.path_of(file).is_file() else None


def _gather(
    work: _Work, recipe: Recipe, rows: Iterable[Row], scratch: Path
) -> tuple[list[tuple[Path, int]], str]:
    """Write the pieces to files; returns these with their rows, and the hash of all that is to be printed."""
    content = hashlib.sha256(f"{work.printout.kind} {recipe.version} ".encode())
    if recipe.template:
        content.update(recipe.template.read_bytes())
    pieces: list[tuple[Path, int]] = []
    for piece in recipe.pieces(work.printout, rows):
        text = orjson.dumps(piece.data)
        content.update(text)
        path = scratch / f"{len(pieces):06d}.json"
        path.write_bytes(text)
        pieces.append((path, piece.rows))
        work.alive()
    return pieces, content.hexdigest()


def _set(
    work: _Work, template: Path, root: Path | None, pieces: Sequence[tuple[Path, int]], whole: Any
) -> int:
    """Set the pieces and put them together; returns how many pages."""
    pages = 0
    made: list[Path] = []
    for path, rows in pieces:
        inputs = {"piece": path.read_text(), "first": str(pages + 1)}
        pdf = typeset(template, inputs, [], work.printout.created_at, root=root)
        part = path.with_suffix(".pdf")
        part.write_bytes(pdf)
        pages += pages_of(pdf)
        made.append(part)
        work.alive(rows, now=True)
    return join(made, whole, work.alive)


def _write_lines(work: _Work, pieces: Sequence[tuple[Path, int]], whole: Any) -> int:
    """The pieces' lines as CSV (RFC 4180, UTF-8 with the mark that spreadsheets look for); no pages."""
    whole.write(b"\xef\xbb\xbf")
    for path, rows in pieces:
        text = io.StringIO(newline="")
        csv.writer(text).writerows(orjson.loads(path.read_bytes())["lines"])
        whole.write(text.getvalue().encode())
        work.alive(rows)
    return 0
