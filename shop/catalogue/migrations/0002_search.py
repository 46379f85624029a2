"""The trigram index that search uses, wherever the server has pg_trgm.

The wheel that `./dev up` started in those days came without it. `search_folded` has the index of today, and wants
the extension.
"""

from django.contrib.postgres.indexes import GinIndex
from django.contrib.postgres.operations import TrigramExtension
from django.db import migrations
from django.db.backends.base.schema import BaseDatabaseSchemaEditor
from django.db.migrations.state import ProjectState


class AddTrigramIndex(migrations.AddIndex):
    """AddIndex, with the extension that it needs, if that is to be had."""

    def database_forwards(
        self,
        app_label: str,
        schema_editor: BaseDatabaseSchemaEditor,
        from_state: ProjectState,
        to_state: ProjectState,
    ) -> None:
        with schema_editor.connection.cursor() as cursor:
            cursor.execute("SELECT 1 FROM pg_available_extensions WHERE name = 'pg_trgm'")
            if cursor.fetchone() is None:
                return
        TrigramExtension().database_forwards(app_label, schema_editor, from_state, to_state)
        super().database_forwards(app_label, schema_editor, from_state, to_state)

    def database_backwards(
        self,
        app_label: str,  # noqa: ARG002
        schema_editor: BaseDatabaseSchemaEditor,
        from_state: ProjectState,  # noqa: ARG002
        to_state: ProjectState,  # noqa: ARG002
    ) -> None:
        schema_editor.execute("DROP INDEX IF EXISTS product_search")


class Migration(migrations.Migration):
    dependencies = [("catalogue", "0001_initial")]

    operations = [
        AddTrigramIndex(
            "product",
            GinIndex(
                name="product_search", fields=["name", "sku"], opclasses=["gin_trgm_ops", "gin_trgm_ops"]
            ),
        )
    ]
