"""Every table of orders says itself when it is vacuumed: the server's default is too late for millions of rows."""

import pytest
from django.apps import apps
from django.db import connection

pytestmark = pytest.mark.django_db

TABLES = [model._meta.db_table for model in apps.get_app_config("orders").get_models()]
_FACTORS = """
SELECT split_part(option, '=', 2)::float FROM pg_class, unnest(reloptions) AS option
WHERE oid = %s::regclass AND split_part(option, '=', 1) = %s
"""


@pytest.mark.parametrize("setting", ["autovacuum_vacuum_scale_factor", "autovacuum_analyze_scale_factor"])
@pytest.mark.parametrize("table", TABLES)
def test_it_is_vacuumed_long_before_a_fifth_of_it_is_dead(table: str, setting: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute(_FACTORS, [table, setting])
        found = cursor.fetchall()
    assert found, f"{table} has no setting of its own: give it one in a migration, as orders 0014 does"
    assert found[0][0] <= 0.02
