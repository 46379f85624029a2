"""Runs the statements that matter as they are written: parameters go to the server, plans are kept per connection.

Django's own cursor interpolates parameters in the client, so that every call is parsed and planned anew; for a click,
and for a batch of a hundred orders, that costs as much as the work. orders.database.planner_settings tells the server
how to plan what is kept. Transactions are Django's: inside `transaction.atomic` the statements are part of it.
"""

from collections.abc import Mapping
from functools import cache
from string import Template
from typing import Any, LiteralString

import psycopg
from django.db import connection


@cache
def compose(template: LiteralString, **parts: LiteralString) -> LiteralString:
    """A statement of which some parts ($name) stand elsewhere. For constants of ours; values are parameters."""
    return Template(template).substitute(parts)


def rows(statement: LiteralString, params: Mapping[str, Any]) -> list[tuple[Any, ...]]:
    """Run one statement on Django's connection; returns its rows, [] for a statement without any.

    Raises what Django raises (OperationalError, IntegrityError, …).
    """
    connection.ensure_connection()
    with connection.wrap_database_errors, psycopg.Cursor(connection.connection) as cursor:
        cursor.execute(statement, params)
        return cursor.fetchall() if cursor.description else []


def count(statement: LiteralString, params: Mapping[str, Any]) -> int:
    """Run one statement that changes rows; returns how many it changed."""
    connection.ensure_connection()
    with connection.wrap_database_errors, psycopg.Cursor(connection.connection) as cursor:
        cursor.execute(statement, params)
        return cursor.rowcount
