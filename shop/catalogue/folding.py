"""How search compares: without regard to case, accents and the way that letters are encoded, and by the stems of words.

`search_fold` is a function in the database (see the migration `search_folded`).
"""

from django.contrib.postgres.search import SearchVectorField
from django.db.models import Func, TextField

# The language of the shop's texts: its plurals are known and its small words are skipped. An index is made with it.
LANGUAGE = "english"


class Fold(Func):
    """Text as search compares it: "Straße" is "strasse", "Łódź" is "lodz"."""

    function = "search_fold"
    output_field = TextField()


class Words(Func):
    """The stems of the words in these columns."""

    template = f"to_tsvector('{LANGUAGE}', search_fold(%(expressions)s))"
    arg_joiner = " || ' ' || "
    output_field = SearchVectorField()
