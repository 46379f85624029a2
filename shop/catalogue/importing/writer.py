"""Writes what was read: categories, products and stock, each with one statement for all.

Only what is new in a file is written, so importing it again changes nothing, whatever people have changed meanwhile; it
runs no trigger and leaves no dead rows.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import sha256

from django.utils.text import slugify

from orders import inventory, sql
from shop.catalogue.importing.drafts import ProductDraft, Reading
from shop.catalogue.models import Category, Product

# One import waits for another, however long it takes; for a row that somebody holds, no longer than usual.
_WAIT = "SELECT set_config('lock_timeout', '0', true)"
_WAIT_NO_MORE = (
    "SELECT set_config('lock_timeout', reset_val, true) FROM pg_settings WHERE name = 'lock_timeout'"
)
# Allow one import at a time: two would count each other's rows as their own.
_LOCK = "SELECT pg_advisory_xact_lock(hashtextextended('stampede.import_catalogue', 0))"
# Tell the planner what the tables hold now: a plan made while they were empty serves no shop.
_ANALYSE = "ANALYZE catalogue_category, catalogue_product, orders_stockitem"
# Create the products that are new, change the others, and note what the file said of them.
_UPSERT = """
INSERT INTO catalogue_product AS product
    (sku, name, description, category_id, price_minor, currency, tax_rate_bp, picture, active, filed)
SELECT sku, name, description, category_id, price_minor, %(currency)s::text, tax_rate_bp, picture, true, filed
FROM unnest(%(skus)s::text[], %(names)s::text[], %(descriptions)s::text[], %(categories)s::bigint[],
            %(prices)s::bigint[], %(taxes)s::int[], %(pictures)s::text[], %(filed)s::text[])
     AS draft (sku, name, description, category_id, price_minor, tax_rate_bp, picture, filed)
ORDER BY sku
ON CONFLICT (sku) DO UPDATE SET ({columns}, filed, edited_at) = ROW({excluded}, excluded.filed, NULL)
"""


@dataclass(slots=True)
class Changes:
    """What a file changes in the catalogue, by SKU. `noted` are products that are as the file has them, though no file
    said so before; `refused` are those that a person has changed, with the reason."""

    created: set[str] = field(default_factory=set)
    updated: set[str] = field(default_factory=set)
    noted: set[str] = field(default_factory=set)
    refused: dict[str, str] = field(default_factory=dict)


def lock() -> None:
    """Wait until no other import runs; the lock lasts as long as the transaction."""
    for statement in (_WAIT, _LOCK, _WAIT_NO_MORE):
        sql.rows(statement, {})


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


def changes(reading: Reading, *, currency: str, overwrite: bool) -> Changes:
    """Compare the file with the catalogue, whose rows stay locked until the transaction ends.

    A row that is as it was when a file last had it changes nothing, whatever a person has changed since. A row that is
    new does, but not over what a person has changed; `overwrite` takes the file in both cases.
    """
    found = Changes()
    rows = (
        Product.objects.select_related("category")
        .select_for_update(of=("self",), no_key=True)
        .order_by("sku")
    )
    known = {product.sku: product for product in rows.filter(sku__in=[draft.sku for draft in reading.drafts])}
    for draft in reading.drafts:
        product = known.get(draft.sku)
        if product is None:
            found.created.add(draft.sku)
            continue
        differing = [column for column in reading.updates if _differs(product, draft, column, currency)]
        if product.filed == _digest(draft, reading.updates, currency) and not (overwrite and differing):
            continue
        if product.edited_at and differing and not overwrite:
            words = ", ".join(column.removesuffix("_id").removesuffix("_minor") for column in differing)
            found.refused[draft.sku] = (
                f"somebody has changed this product on {product.edited_at:%Y-%m-%d}, and here its {words} would be "
                "another: bring the file up to date, or take it all the same with --overwrite"
            )
        else:
            (found.updated if differing else found.noted).add(draft.sku)
    return found


def write_products(
    drafts: Sequence[ProductDraft], categories: Mapping[str, int], *, currency: str, updates: Collection[str]
) -> None:
    """Create new products, and set the columns `updates` of the others."""
    if not drafts:
        return
    statement = _UPSERT.format(
        columns=", ".join(updates), excluded=", ".join(f"excluded.{column}" for column in updates)
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
        "filed": [_digest(draft, updates, currency) for draft in drafts],
    }
    sql.rows(statement, params)


def _differs(product: Product, draft: ProductDraft, column: str, currency: str) -> bool:
    if column == "category_id":
        same = draft.category.casefold() == product.category.name.casefold()
        return not (same or slugify(draft.category) == product.category.slug)
    return bool(getattr(product, column) != (currency if column == "currency" else getattr(draft, column)))


def _digest(draft: ProductDraft, updates: Collection[str], currency: str) -> str:
    """Of what a file says of a product, apart from its stock."""
    said = [
        draft.category if column == "category_id" else getattr(draft, column, currency) for column in updates
    ]
    return sha256(repr([*updates, *said]).encode()).hexdigest()[:32]


def write_stock(drafts: Sequence[ProductDraft]) -> int:
    """Book what is new in the stock that the drafts name. Returns how many changed. Raises inventory.LevelsRefused."""
    return inventory.book_file({draft.sku: draft.stock for draft in drafts})


def analyse() -> None:
    sql.rows(_ANALYSE, {})
