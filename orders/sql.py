"""Runs the statements that matter as they are written, with parameters that go to the server.

Transactions are Django's: inside `transaction.atomic` these statements are part of it.

A statement is planned each time it runs, for the tables as they are at that moment: a plan kept from when a shop was
new and its tables empty reads them whole when the crowd has come, and made a batch a hundred times slower. Only what
runs once for every click is `kept`: planning it costs as much as running it, and it reads nothing but its keys.
"""

from collections.abc import Mapping
from typing import Any, LiteralString

import psycopg
from django.db import connection


def rows(statement: LiteralString, params: Mapping[str, Any], *, kept: bool = False) -> list[tuple[Any, ...]]:
    """Run one statement on Django's connection; returns its rows, [] for a statement without any.

    `kept`: prepare it on this connection and keep its plan. Raises what Django raises (OperationalError, …).
    """
    connection.ensure_connection()
    with connection.wrap_database_errors, psycopg.Cursor(connection.connection) as cursor:
        cursor.execute(statement, params, prepare=kept)
        return cursor.fetchall() if cursor.description else []


def count(statement: LiteralString, params: Mapping[str, Any]) -> int:
    """Run one statement that changes rows; returns how many it changed."""
    connection.ensure_connection()
    with connection.wrap_database_errors, psycopg.Cursor(connection.connection) as cursor:
        cursor.execute(statement, params, prepare=False)
        return cursor.rowcount
