"""Our own CSV: one product a row.

| column | what stands in it |
|---|---|
| `sku` | letters, digits, `.`, `_`, `-`; 40 at most; upper and lower case are one |
| `name` | 200 characters at most |
| `description` | may be empty |
| `category` | its name; a category that does not exist yet is made |
| `price` | what the shopper pays, tax included, in the shop's currency: `12.50` |
| `tax_rate` | the tax that the price includes, in per cent: `20`, `5.5`, `0` |
| `stock` | pieces that ever came in, sold ones included; empty leaves it as it is (a new product: 0) |
| `picture` | path of a static file, `shop/pictures/kettle.svg`; may be empty |

All eight columns must be there, in any order. The whole row is the truth: an empty description empties it.
`stock` counts what ever came in, so that the same file can be imported again after a day of selling and
changes nothing.
"""

from collections.abc import Callable

from shop.catalogue.importing.amounts import to_minor
from shop.catalogue.importing.drafts import CONTROL, SKU, ProductDraft, Reading, Refused, sku_of
from shop.catalogue.importing.table import Table, positions

FORMAT = "products"
COLUMNS = ("sku", "name", "description", "category", "price", "tax_rate", "stock", "picture")
UPDATES = ("name", "description", "category_id", "price_minor", "currency", "tax_rate_bp", "picture")

MOST_MINOR = 10**12  # far above any price, far below what a column holds when a large order adds it up
MOST_STOCK = 10**9
LENGTHS = {"name": 200, "description": 10_000, "category": 80, "picture": 200}


def read(table: Table, *, decimals: int, picture_exists: Callable[[str], bool]) -> Reading | None:
    """Read the rows; None if the columns are not this format's. `decimals` are those of the shop's
    currency."""
    order = positions(table.columns, COLUMNS)
    if order is None:
        return None
    reading = Reading(format=FORMAT, updates=UPDATES)
    first_seen: dict[str, int] = {}
    for line, cells in table.rows:
        reading.rows += 1
        sku = ""
        try:
            if len(cells) != len(COLUMNS):
                raise ValueError(f"it has {len(cells)} columns instead of {len(COLUMNS)}")
            values = dict(zip(COLUMNS, (cells[at].strip() for at in order), strict=True))
            sku = sku_of(values["sku"])
            draft = _draft(line, sku, values, decimals, picture_exists)
            if sku in first_seen:
                raise ValueError(f"the SKU stands in line {first_seen[sku]} already")
        except ValueError as problem:
            reading.refused.append(Refused(line, sku, str(problem)))
        else:
            first_seen[sku] = line
            reading.drafts.append(draft)
    return reading


def _draft(
    line: int, sku: str, values: dict[str, str], decimals: int, picture_exists: Callable[[str], bool]
) -> ProductDraft:
    if not SKU.fullmatch(sku):
        raise ValueError(
            f'"{sku}" is no SKU: 1 to 40 of A-Z, 0-9, ".", "_", "-", the first a letter or digit'
        )
    for column, longest in LENGTHS.items():
        if len(values[column]) > longest:
            raise ValueError(f"{column} has {len(values[column])} characters, {longest} is the most")
        if CONTROL.search(values[column]):
            raise ValueError(f"{column} holds control characters")
    for column in ("name", "category"):
        if not values[column]:
            raise ValueError(f"{column} is empty")
    price = _within("price", values, to_minor(values["price"], decimals), 1, MOST_MINOR)
    tax = _within("tax_rate", values, to_minor(values["tax_rate"], 2), 0, 10_000)  # per cent to basis points
    stock = _within("stock", values, to_minor(values["stock"], 0), 0, MOST_STOCK) if values["stock"] else None
    if values["picture"] and not picture_exists(values["picture"]):
        raise ValueError(f'picture: there is no static file "{values["picture"]}"')
    return ProductDraft(
        line=line,
        sku=sku,
        name=" ".join(values["name"].split()),
        description=values["description"],
        category=" ".join(values["category"].split()),
        price_minor=price,
        tax_rate_bp=tax,
        stock=stock,
        picture=values["picture"],
    )


def _within(column: str, values: dict[str, str], number: int, least: int, most: int) -> int:
    if number < least:
        raise ValueError(f'{column} "{values[column]}" is too low')
    if number > most:
        raise ValueError(f'{column} "{values[column]}" is too high')
    return number
