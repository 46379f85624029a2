"""Lets search find words whatever their accents, case and form, and words of the description in any of their forms.

`search_fold` is what search compares by: "Müller", "MULLER" and a decomposed "Müller" are one word, and so are
"Straße" and "strasse", "Łódź" and "lodz". Both extensions are part of PostgreSQL's contrib, and the owner of a database
may create them.
"""

from django.contrib.postgres.indexes import GinIndex, OpClass
from django.contrib.postgres.operations import (
    AddIndexConcurrently,
    TrigramExtension,
    UnaccentExtension,
)
from django.db import migrations

from shop.catalogue.folding import Fold, Words

# PostgreSQL holds `unaccent` for STABLE, since somebody could change its rules; an index wants a function that says it
# never changes. The body is parsed here, so that it means the same functions whatever the search path is.
_FOLD = """
CREATE OR REPLACE FUNCTION search_fold(text) RETURNS text LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
RETURN lower(unaccent('unaccent', normalize($1, NFKC)))
"""


# The index of before exists only where the database had its extension then.
_DROP = "DROP INDEX CONCURRENTLY IF EXISTS product_search"


class Migration(migrations.Migration):
    atomic = False  # indexes are made while people shop

    dependencies = [("catalogue", "0002_search")]

    operations = [
        TrigramExtension(),
        UnaccentExtension(),
        migrations.RunSQL(_FOLD, "DROP FUNCTION search_fold(text)"),
        migrations.SeparateDatabaseAndState(
            database_operations=[migrations.RunSQL(_DROP, migrations.RunSQL.noop)],
            state_operations=[migrations.RemoveIndex("product", "product_search")],
        ),
        AddIndexConcurrently(
            "product",
            GinIndex(
                OpClass(Fold("name"), "gin_trgm_ops"),
                OpClass(Fold("sku"), "gin_trgm_ops"),
                name="product_by_letters",
            ),
        ),
        AddIndexConcurrently("product", GinIndex(Words("name", "description"), name="product_by_words")),
    ]
