"""How PostgreSQL plans for workers and the relay: by key, whatever it believes about the size of a table.

They reach every row by a key, a batch at a time, and keep their statements prepared. A plan made while the tables of a
new shop are small reads them whole. When the crowd comes a moment later, that plan makes a batch a hundred times slower
until the statistics are renewed. So these connections exclude such plans.
"""

from typing import Any

from django.db import connection
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.backends.signals import connection_created

_BY_KEY = """
SET enable_seqscan = off; SET enable_hashjoin = off; SET enable_mergejoin = off; SET enable_material = off;
SET plan_cache_mode = force_generic_plan
"""


def plan_by_key() -> None:
    """From now on every connection of this process plans by key."""
    connection_created.connect(_set, dispatch_uid="orders.database.planner_settings")
    connection.close()


def _set(*, connection: BaseDatabaseWrapper, **_: Any) -> None:
    with connection.cursor() as cursor:
        cursor.execute(_BY_KEY)
