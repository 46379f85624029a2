"""Makes a printout in bounded memory, and gives way at any moment.

1. Take the row under a name of its own, which the lease and every later write depend on.
2. Read the rows with a server-side cursor on a connection of its own (this one renews the lease meanwhile), as one
   snapshot, and write them to the scratch folder in pieces; what they say is hashed on the way.
3. A printout that says the same was made already: take its file.
4. Else set piece by piece, and put the pieces together; the file gets its name when it is whole.
5. Mark the row done, if it is still ours.

Between pieces the lease is renewed, which finds out whether the printout was cancelled or taken over. A process that
dies leaves a scratch folder, which whoever makes it next clears away, and no file.
"""

import csv
import hashlib
import io
import logging
import shutil
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from time import monotonic
from typing import Any, LiteralString
from uuid import UUID, uuid4

import orjson
from django.db import connection

from orders import files, sql
from orders.models import Printout
from orders.printouts.joining import join, pages_of
from orders.printouts.recipes import Recipe, Row, parameters
from orders.typesetting import typeset

log = logging.getLogger(__name__)

MAX_ATTEMPTS = 3
LEASE = timedelta(seconds=20)
_SIGN_OF_LIFE = 5.0  # seconds
_FETCH = 2_000  # rows at a time from the server
_SCRATCH = "printouts/work"

_TAKE: LiteralString = """
UPDATE orders_printout
SET state = 'making', holder = %(holder)s, due_at = now() + %(lease)s, started_at = coalesce(started_at, now()),
    attempts = attempts + 1, attempts_total = attempts_total + 1, rows_done = 0
WHERE id = %(id)s AND holder IS NULL AND state IN ('waiting', 'making')
"""
_HOLD: LiteralString = """
UPDATE orders_printout SET due_at = now() + %(lease)s, rows_done = %(rows)s
WHERE id = %(id)s AND holder = %(holder)s AND state = 'making'
"""
_COUNTED: LiteralString = (
    "UPDATE orders_printout SET rows_total = %(rows)s WHERE id = %(id)s AND holder = %(holder)s"
)
_DONE: LiteralString = """
UPDATE orders_printout
SET state = 'done', ended_at = now(), due_at = NULL, holder = NULL, attempts = 0, rows_done = rows_total,
    file = %(file)s, content_hash = %(hash)s, pages = %(pages)s, size = %(size)s
WHERE id = %(id)s AND holder = %(holder)s AND state = 'making'
"""
_LATER: LiteralString = """
UPDATE orders_printout SET holder = NULL, state = 'waiting', due_at = now() + attempts * interval '20 seconds'
WHERE id = %(id)s AND holder = %(holder)s AND state = 'making'
"""
_FAILED: LiteralString = """
UPDATE orders_printout
SET state = 'failed', problem = %(problem)s, ended_at = now(), due_at = NULL, holder = NULL
WHERE id = %(id)s AND holder = %(holder)s AND state = 'making'
"""


class Interrupted(Exception):
    """The printout is not ours any more: it was cancelled, or somebody else has it in hand."""


class NeverBack(Exception):
    """Whoever was to make the printout never came back with an answer."""


def make(printout_id: int, recipes: Mapping[Printout.Kind, Recipe]) -> Exception | None:
    """Make the printout if nobody has it in hand; returns what hindered it when it is given up for good."""
    holder = uuid4()
    if not sql.count(_TAKE, {"id": printout_id, "holder": holder, "lease": LEASE}):
        return None
    printout = Printout.objects.get(pk=printout_id)
    work = _Work(printout, holder)
    error: Exception
    if printout.attempts > MAX_ATTEMPTS:
        error = NeverBack(f"driven {printout.attempts - 1} times, and no worker came back with {printout}")
    else:
        try:
            _make(work, recipes[Printout.Kind(printout.kind)])
            return None
        except Interrupted:
            log.info("%s is not to be made any more", printout)
            return None
        except Exception as found:
            log.exception("%s could not be made", printout)
            error = found
            if printout.attempts < MAX_ATTEMPTS:
                sql.count(_LATER, work.params())
                return None
    problem = f"{type(error).__name__}: {error}"[:1_000]
    return error if sql.count(_FAILED, work.params(problem=problem)) else None


@dataclass(slots=True)
class _Work:
    """The hold of whoever makes it: renewed now and then, and lost when it was cancelled."""

    printout: Printout
    holder: UUID
    rows: int = 0
    renewed: float = 0.0

    def params(self, **more: Any) -> dict[str, Any]:
        return {"id": self.printout.pk, "holder": self.holder, **more}

    def alive(self, rows: int = 0, *, now: bool = False) -> None:
        """So many rows more are done. Raises Interrupted."""
        self.rows += rows
        if now or monotonic() >= self.renewed + _SIGN_OF_LIFE:
            if not sql.count(_HOLD, self.params(lease=LEASE, rows=self.rows)):
                raise Interrupted
            self.renewed = monotonic()


def _make(work: _Work, recipe: Recipe) -> None:
    printout = work.printout
    scratch = files.path_of(f"{_SCRATCH}/{printout.pk}-{work.holder}")
    for left in scratch.parent.glob(f"{printout.pk}-*"):  # by whoever died over it
        shutil.rmtree(left, ignore_errors=True)
    scratch.mkdir(parents=True)
    try:
        with _reading() as read:
            [(total,)] = read(recipe.counts, parameters(printout))
            sql.count(_COUNTED, work.params(rows=total))
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
        sql.count(_DONE, work.params(file=file, hash=content, pages=made[0], size=made[1]))
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


def _made_before(content: str, file: str) -> tuple[int, int] | None:
    """Pages and size of a printout that said the same, if its file is there."""
    found = Printout.objects.filter(state=Printout.State.DONE, content_hash=content).first()
    return (found.pages, found.size) if found and files.path_of(file).is_file() else None


Read = Callable[[LiteralString, Mapping[str, Any]], Iterable[Row]]


@contextmanager
def _reading() -> Iterator[Read]:
    """Statements that see one snapshot, row by row, on a connection of their own."""
    own: Any = connection.copy()
    with closing(own):
        own.ensure_connection()
        own.connection.execute("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")

        def read(statement: LiteralString, params: Mapping[str, Any]) -> Iterator[Row]:
            with own.connection.cursor(name="printout") as cursor:
                cursor.itersize = _FETCH
                cursor.execute(statement, params)
                yield from cursor

        yield read


def _gather(
    work: _Work, recipe: Recipe, rows: Iterable[Row], scratch: Path
) -> tuple[list[tuple[Path, int]], str]:
    """Write the pieces down; returns their files with their rows, and the hash of all that they say and look like."""
    content = hashlib.sha256(f"{work.printout.kind} {recipe.version} ".encode())
    if recipe.template:
        content.update(recipe.template.read_bytes())
    pieces: list[tuple[Path, int]] = []
    for piece in recipe.pieces(work.printout, rows):
        said = orjson.dumps(piece.data)
        content.update(said)
        path = scratch / f"{len(pieces):06d}.json"
        path.write_bytes(said)
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
