"""Empties the database behind a test that commits.

Django truncates every table and then makes all content types and permissions anew: an eighth of a second for each of
hundreds of tests. Most of these leave rows in a handful of tables, so only what is there is deleted, and content types
and permissions, which belong to the code, stay.
"""

from functools import cache

from django.db import connections, transaction
from django.test import TransactionTestCase
from psycopg import sql

_STAY = {"django_content_type", "auth_permission"}


def empty_all(case: TransactionTestCase) -> None:
    """In place of TransactionTestCase._fixture_teardown."""
    for name in case._databases_names(include_mirrors=False):  # type: ignore[attr-defined]
        empty(name)


def empty(database: str) -> None:
    """Delete all rows but those that stay, once nobody else is writing any."""
    tables = [sql.Identifier(table) for table in _tables(database)]
    with transaction.atomic(using=database), connections[database].cursor() as cursor:
        # Neither foreign keys nor what keeps documents from being changed; a TRUNCATE asks neither.
        cursor.execute("SET LOCAL session_replication_role = replica")
        cursor.execute(sql.SQL("LOCK TABLE {} IN ACCESS EXCLUSIVE MODE").format(sql.SQL(", ").join(tables)))
        filled = sql.SQL(" UNION ALL ").join(
            sql.SQL("SELECT {} WHERE EXISTS (SELECT FROM {})").format(number, table)
            for number, table in enumerate(tables)
        )
        cursor.execute(filled)
        for (number,) in cursor.fetchall():
            cursor.execute(sql.SQL("DELETE FROM {}").format(tables[number]))


def believe_empty(table: str) -> None:
    """Empty the database, and have the planner believe of this table, which had rows, that it will stay so."""
    empty("default")
    with connections["default"].cursor() as cursor:
        cursor.execute(sql.SQL("ANALYZE {}").format(sql.Identifier(table)))


@cache
def _tables(database: str) -> list[str]:
    names = connections[database].introspection.django_table_names(only_existing=True, include_views=False)
    return sorted(set(names) - _STAY)
