"""Writes what was read: categories, products and stock, each with one statement for all.

Only rows that differ are written, so importing a file again writes nothing, runs no trigger and leaves no dead rows.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass

from django.utils.text import slugify

from orders import inventory, sql
from shop.catalogue.importing.drafts import ProductDraft
from shop.catalogue.models import Category

# Allow one import at a time: two would count each other's rows as their own.
_LOCK = "SELECT pg_advisory_xact_lock(hashtextextended('stampede.import_catalogue', 0))"
# Tell the planner what the tables hold now: a plan made while they were empty serves no shop.
_ANALYSE = "ANALYZE catalogue_category, catalogue_product, orders_stockitem"
# Create the products that are new, and change those that differ; returns for each written row whether it is new.
_UPSERT = """
INSERT INTO catalogue_product AS product
    (sku, name, description, category_id, price_minor, currency, tax_rate_bp, picture, active)
SELECT sku, name, description, category_id, price_minor, %(currency)s::text, tax_rate_bp, picture, true
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
    """How many products a file created and changed."""

    created: int
    updated: int


def lock() -> None:
    """Wait until no other import runs; the lock lasts as long as the transaction."""
    sql.rows(_LOCK, {})


def unusable_categories(names: Iterable[str]) -> set[str]:
    """Those that no address can be made of, because they have neither a Latin letter nor a digit."""
    return {name for name in names if not slugify(name)}


def write_categories(names: Sequence[str]) -> dict[str, int]:
    """The id of each category. New ones are created and come last in the menu, in the given order. "kitchen" and
    "Kitchen" are the same: a category is recognised by its address, or by its name in any case."""
    known: dict[str, int] = {}
    last = 0
    for category in Category.objects.all():
        known[category.name.casefold()] = known[category.slug] = category.pk
        last = max(last, category.position)
    made: list[Category] = []
    for name in names:
        if name.casefold() not in known and slugify(name) not in known:
            made.append(Category(name=name, slug=slugify(name), position=last + len(made) + 1))
            # 0 until it is created, so that a second spelling in the same file does not create another.
            known[name.casefold()] = known[slugify(name)] = 0
    for category in Category.objects.bulk_create(made):
        known[category.name.casefold()] = known[category.slug] = category.pk
    return {name: known.get(name.casefold()) or known[slugify(name)] for name in names}


def write_products(
    drafts: Sequence[ProductDraft], categories: Mapping[str, int], *, currency: str, updates: Collection[str]
) -> Written:
    """Create new products, and change those that differ in one of the columns `updates`."""
    if not drafts:
        return Written(created=0, updated=0)
    statement = _UPSERT.format(
        columns=", ".join(updates),
        current=", ".join(f"product.{column}" for column in updates),
        excluded=", ".join(f"excluded.{column}" for column in updates),
    )
    params = {
        "currency": currency,
        "skus": [draft.sku for draft in drafts],
        "names": [draft.name for draft in drafts],
        "descriptions": [draft.description for draft in drafts],
        "categories": [categories[draft.category] for draft in drafts],
        "prices": [draft.price_minor for draft in drafts],
        "taxes": [draft.tax_rate_bp for draft in drafts],
        "pictures": [draft.picture for draft in drafts],
    }
    created = [new for (new,) in sql.rows(statement, params)]
    return Written(created=sum(created), updated=len(created) - sum(created))


def write_stock(drafts: Sequence[ProductDraft]) -> int:
    """Book what is new in the stock that the drafts name. Returns how many changed. Raises inventory.LevelsRefused."""
    return inventory.book_file({draft.sku: draft.stock for draft in drafts})


def analyse() -> None:
    sql.rows(_ANALYSE, {})
