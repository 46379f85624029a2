"""Writes what was read: categories, products and stock, each with one statement for all of them.

Only rows that differ are written, so importing a file again writes nothing, wakes no trigger and leaves no
dead rows.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from django.db import connection
from django.utils.text import slugify

from orders import inventory
from orders.models import StockItem
from shop.catalogue.importing.drafts import ProductDraft
from shop.catalogue.models import Category

# One import at a time: two would count each other's rows as their own.
_LOCK = "SELECT pg_advisory_xact_lock(hashtextextended('stampede.import_catalogue', 0))"
_UPSERT = """
INSERT INTO catalogue_product AS product
    (sku, name, description, category_id, price_minor, currency, tax_rate_bp, picture, active)
SELECT sku, name, description, category_id, price_minor, %(currency)s, tax_rate_bp, picture, true
FROM unnest(%(skus)s::text[], %(names)s::text[], %(descriptions)s::text[], %(categories)s::bigint[],
            %(prices)s::bigint[], %(taxes)s::int[], %(pictures)s::text[])
     AS draft (sku, name, description, category_id, price_minor, tax_rate_bp, picture)
ORDER BY sku
ON CONFLICT (sku) DO UPDATE SET ({columns}) = ROW({excluded})
WHERE ROW({current}) IS DISTINCT FROM ROW({excluded})
RETURNING xmax = 0
"""


@dataclass(frozen=True, slots=True)
class Written:
    """How many products a file made and changed; it leaves the rest of them as they were."""

    created: int
    updated: int


def lock() -> None:
    """Wait until no other import is under way; the lock goes with the transaction."""
    with connection.cursor() as cursor:
        cursor.execute(_LOCK)


def unusable_categories(names: Iterable[str]) -> set[str]:
    """Those of which no address can be made, since they hold neither a Latin letter nor a digit."""
    return {name for name in names if not slugify(name)}


def write_categories(names: Sequence[str]) -> dict[str, int]:
    """The id of each category; those that do not exist are made and come last in the menu, in the order
    given.

    "kitchen" and "Kitchen" are one: a category is known by its address or by its name, whatever the case.
    """
    known: dict[str, int] = {}
    last = 0
    for category in Category.objects.all():
        known[category.name.casefold()] = known[category.slug] = category.pk
        last = max(last, category.position)
    made: list[Category] = []
    for name in names:
        if name.casefold() not in known and slugify(name) not in known:
            made.append(Category(name=name, slug=slugify(name), position=last + len(made) + 1))
            known[name.casefold()] = known[slugify(name)] = (
                0  # a second spelling in the same file makes no second one
            )
    for category in Category.objects.bulk_create(made):
        known[category.name.casefold()] = known[category.slug] = category.pk
    return {name: known.get(name.casefold()) or known[slugify(name)] for name in names}


def write_products(
    drafts: Sequence[ProductDraft], categories: Mapping[str, int], *, currency: str, updates: Collection[str]
) -> Written:
    """Make new products and change those that differ in one of the columns `updates`."""
    if not drafts:
        return Written(created=0, updated=0)
    statement = _UPSERT.format(
        columns=", ".join(updates),
        current=", ".join(f"product.{column}" for column in updates),
        excluded=", ".join(f"excluded.{column}" for column in updates),
    )
    params: dict[str, Any] = {
        "currency": currency,
        "skus": [draft.sku for draft in drafts],
        "names": [draft.name for draft in drafts],
        "descriptions": [draft.description for draft in drafts],
        "categories": [categories[draft.category] for draft in drafts],
        "prices": [draft.price_minor for draft in drafts],
        "taxes": [draft.tax_rate_bp for draft in drafts],
        "pictures": [draft.picture for draft in drafts],
    }
    with connection.cursor() as cursor:
        cursor.execute(statement, params)
        created = [new for (new,) in cursor.fetchall()]
    return Written(created=sum(created), updated=len(created) - sum(created))


def write_stock(drafts: Sequence[ProductDraft]) -> int:
    """Set the stock that the drafts name; a product that was never stocked gets none. Returns how many
    changed.

    Raises inventory.StockTooLow, and changes nothing, when more of something is already reserved or sold.
    """
    stocked = dict(
        StockItem.objects.filter(sku__in=[draft.sku for draft in drafts]).values_list("sku", "stocked")
    )
    levels: dict[str, int] = {}
    for draft in drafts:
        if draft.stock is not None and draft.stock != stocked.get(draft.sku):
            levels[draft.sku] = draft.stock
        elif draft.sku not in stocked:
            levels[draft.sku] = 0
    if levels:
        inventory.stock_to(levels)
    return len(levels)


def analyse() -> None:
    """Tell the planner what the tables hold now: a plan made while they were empty serves no shop."""
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE catalogue_category, catalogue_product, orders_stockitem")
