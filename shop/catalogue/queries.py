"""What pages and API ask of the catalogue. Stock belongs to orders and is fetched for a whole list at once.

Search uses the trigram index where the database has one (see the migration `search`), and finds the same without it.
"""

import re
from collections.abc import Iterable
from typing import Any

from django.contrib.postgres.search import TrigramWordSimilarity
from django.db import connection
from django.db.models import Case, CharField, Count, Lookup, Q, QuerySet, Value, When
from django.db.models.sql.compiler import SQLCompiler

from orders import inventory
from shop.catalogue.importing.drafts import SKU
from shop.catalogue.models import Category, Product

MAX_WORDS = 8
NEAR = 0.5  # of 1; two swapped letters in a word of six leave 0.57
MAX_LENGTH = 100  # characters of the query; nobody types more, and each word costs a scan of the index

_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]")  # PostgreSQL refuses NUL, and nobody means the others
_LIKE_SIGNS = re.compile(r"([\\%_])")


@CharField.register_lookup
class Like(Lookup):
    """`name__ilike="%mug%"`: Django's icontains compares upper-case copies, which the trigram index does not help."""

    lookup_name = "ilike"

    def as_sql(self, compiler: SQLCompiler, connection: Any) -> tuple[str, tuple[Any, ...]]:
        left, left_params = self.process_lhs(compiler, connection)
        right, right_params = self.process_rhs(compiler, connection)
        return f"{left} ILIKE {right}", (*left_params, *right_params)


def on_sale(category: str = "") -> QuerySet[Product]:
    """Everything on sale, by name, with its category; only one category if its slug is given."""
    products = Product.objects.filter(active=True).select_related("category")
    return products.filter(category__slug=category) if category else products


def search(products: QuerySet[Product], text: str) -> QuerySet[Product]:
    """Those with every word of `text` in their name or SKU, the likeliest first; all of them if there is no text.

    First the SKU itself, then names that begin with the text, then names with a word that does, then the others. If
    there are none and the database knows trigrams, those with the nearest names: "kettel" finds the kettle.
    """
    words = _CONTROL.sub(" ", text)[:MAX_LENGTH].split()[:MAX_WORDS]
    if not words:
        return products
    found = products
    for word in words:
        anywhere = f"%{_literal(word)}%"
        found = found.filter(Q(name__ilike=anywhere) | Q(sku__ilike=anywhere))
    typed = " ".join(words)
    if not found.exists() and _knows_trigrams():
        near = products.annotate(nearness=TrigramWordSimilarity(typed, "name")).filter(nearness__gte=NEAR)
        return near.order_by("-nearness", "name", "id")
    return found.order_by(_likeliest_first(typed), "name", "id")


def with_stock(products: Iterable[Product]) -> list[Product]:
    """The same products with `on_hand`, the pieces that are free to sell, from one query for all."""
    listed = list(products)
    if listed:
        on_hand = inventory.on_hand([product.sku for product in listed])
        for product in listed:
            product.on_hand = on_hand.get(product.sku, 0)
    return listed


def product(sku: str) -> Product:
    """One product with its category and stock; the SKU may be in any case. Raises Product.DoesNotExist."""
    if not SKU.fullmatch(sku.upper()):
        raise Product.DoesNotExist
    return with_stock([on_sale().get(sku=sku.upper())])[0]


def categories() -> QuerySet[Category]:
    """The menu: every category that has something on sale, with `products_on_sale`."""
    on_sale_in = Count("products", filter=Q(products__active=True))
    found = Category.objects.annotate(products_on_sale=on_sale_in).filter(products_on_sale__gt=0)
    return found.order_by("position", "name")  # grouping drops the model's own order


def _knows_trigrams() -> bool:
    with connection.cursor() as cursor:
        cursor.execute("SELECT EXISTS (SELECT FROM pg_extension WHERE extname = 'pg_trgm')")
        return bool(cursor.fetchone()[0])


def _likeliest_first(typed: str) -> Case:
    begins = f"{_literal(typed)}%"
    return Case(
        When(sku=typed.upper(), then=Value(0)),
        When(name__ilike=begins, then=Value(1)),
        When(name__ilike=f"% {begins}", then=Value(2)),
        default=Value(3),
    )


def _literal(text: str) -> str:
    """Text as a LIKE pattern that matches only itself."""
    return _LIKE_SIGNS.sub(r"\\\1", text)
