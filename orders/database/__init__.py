"""Django's PostgreSQL backend, which also notices soon that its server is gone, without asking it each time."""

import psycopg
from django.db import connection

from orders.database.patience import Silent


def is_silent(error: BaseException) -> bool:
    """Whether a database error means that the server did not answer in time, so that asking again takes as long."""
    return isinstance(error.__cause__ or error, (Silent, psycopg.errors.ConnectionTimeout))


def died(error: BaseException) -> bool:
    """Whether this error means that a kept connection is dead and a new one may work; the dead one is closed then.

    False within a transaction, which is lost with its connection, and for a server that is only silent.
    """
    if connection.in_atomic_block or is_silent(error) or connection.is_usable():
        return False
    connection.close()
    return True
