"""Django's PostgreSQL backend, which also notices that its server has gone: soon, and without asking it each time."""

import psycopg
from django.db import connection

from orders.database.patience import Silent


def is_silent(error: BaseException) -> bool:
    """Whether a database error says that the server did not answer in time, so that asking again costs as long."""
    return isinstance(error.__cause__ or error, (Silent, psycopg.errors.ConnectionTimeout))


def died(error: BaseException) -> bool:
    """Whether this error says that a kept connection is dead and a new one may well work; it is closed then.

    False within a transaction, which is lost with its connection, and of a server that is merely silent.
    """
    if connection.in_atomic_block or is_silent(error) or connection.is_usable():
        return False
    connection.close()
    return True
