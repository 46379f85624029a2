"""What pages and API ask of the catalogue. Stock belongs to orders and is fetched for a whole list at once.

Search compares as `shop.catalogue.folding` says, by two indexes: one for letters anywhere, one for stems of words.
"""

import re
from collections.abc import Iterable

from django.contrib.postgres.search import SearchQuery
from django.db.models import Case, Count, F, FloatField, Func, Q, QuerySet, Value, When

from orders import inventory
from orders.skus import SKU
from shop.catalogue.folding import LANGUAGE, Fold, Words
from shop.catalogue.models import Category, Product

MAX_WORDS = 8
NEAR = 0.5  # of 1; two swapped letters in a word of six leave 0.57
MAX_LENGTH = 100  # characters of the query; nobody types more, and each word costs a scan of the index

_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]")  # PostgreSQL refuses NUL, and nobody means the others


def on_sale(category: str = "") -> QuerySet[Product]:
    """Everything on sale, by name, with its category; only one category if its slug is given."""
    products = Product.objects.filter(active=True).select_related("category")
    return products.filter(category__slug=category) if category else products


def search(products: QuerySet[Product], text: str) -> QuerySet[Product]:
    """Those with every word of `text` in their name, SKU or description, the likeliest first; all if there is no text.

    Accents, case and plurals do not matter; in name and SKU a part of a word will do. First the SKU itself, then names
    that begin with the text, then names with a word that does, other names, and descriptions. If there are none, those
    with a name near to every word: "blue kettel" finds the blue kettle.
    """
    words = _CONTROL.sub(" ", text)[:MAX_LENGTH].split()[:MAX_WORDS]
    if not words:
        return products
    products = products.alias(
        folded_name=Fold("name"), folded_sku=Fold("sku"), words=Words("name", "description")
    )
    found = near = products
    for word in words:
        typed = Fold(Value(word))
        fits = Q(folded_name__contains=typed) | Q(folded_sku__contains=typed)
        if word.isalnum():  # "mug_" and "100%" mean these very signs
            fits |= Q(words=SearchQuery(typed, config=LANGUAGE))
        found = found.filter(fits)
    if found.exists():
        return found.order_by(_likeliest_first(" ".join(words)), "name", "id")
    for number, word in enumerate(words):
        nearness = Func(
            Fold(Value(word)), F("folded_name"), function="word_similarity", output_field=FloatField()
        )
        near = near.annotate(**{f"near_{number}": nearness}).filter(**{f"near_{number}__gte": NEAR})
    return near.order_by(*(f"-near_{number}" for number in range(len(words))), "name", "id")


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


def _likeliest_first(typed: str) -> Case:
    folded = Fold(Value(typed))
    return Case(
        When(folded_sku=folded, then=Value(0)),
        When(folded_name__startswith=folded, then=Value(1)),
        When(folded_name__contains=Fold(Value(f" {typed}")), then=Value(2)),
        When(folded_name__contains=folded, then=Value(3)),
        default=Value(4),
    )
