"""Reads many rows of one snapshot, a few at a time, on a connection of its own: the caller's stays free to write."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager
from typing import Any, LiteralString

from django.db import connection

_FETCH = 2_000  # rows at a time from the server
# It locks nothing, and is slow where what is read is written to a disk.
_BEGIN = """
BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY; SET LOCAL idle_in_transaction_session_timeout = '10min'
"""

Read = Callable[[LiteralString, Mapping[str, Any]], Iterator[tuple[Any, ...]]]


@contextmanager
def snapshot() -> Iterator[Read]:
    """Statements that see one snapshot, row by row. They raise what Django raises (OperationalError, …)."""
    own: Any = connection.copy()
    with closing(own):
        own.ensure_connection()

        def read(statement: LiteralString, params: Mapping[str, Any]) -> Iterator[tuple[Any, ...]]:
            with own.wrap_database_errors, own.connection.cursor(name="snapshot") as cursor:
                cursor.itersize = _FETCH
                cursor.execute(statement, params)
                yield from cursor

        with own.wrap_database_errors:
            own.connection.execute(_BEGIN)
        yield read
