"""Our own CSV format: one product a row.

| column | content |
|---|---|
| `sku` | letters, digits, `.`, `_`, `-`; at most 40; upper and lower case are the same |
| `name` | at most 200 characters |
| `description` | may be empty |
| `category` | its name; a category that does not exist is created |
| `price` | what the shopper pays, tax included, in the shop's currency: `12.50` |
| `tax_rate` | the tax that the price includes, in per cent: `20`, `5.5`, `0` |
| `stock` | pieces that this file ever brought in, with those sold; empty leaves it unchanged (a new product: 0) |
| `picture` | path of a static file, `shop/pictures/kettle.svg`; may be empty |

All eight columns must be there, in any order. The whole row is the truth, so an empty description empties it; but a row
that is as it was at the last import changes nothing, and one that would undo what a person has changed in the admin is
refused, unless `--overwrite` is said. Of `stock` the difference from the last import is booked: 15 where it was
5 brings in ten. So importing the same file again changes nothing, whatever was sold, sent back or counted meanwhile.
"""

from collections.abc import Callable

from orders.csvfile import Table
from orders.skus import NO_SKU, SKU, sku_of
from shop.catalogue.importing.amounts import to_minor
from shop.catalogue.importing.drafts import CONTROL, ProductDraft, Reading, Refused

FORMAT = "products"
COLUMNS = ("sku", "name", "description", "category", "price", "tax_rate", "stock", "picture")
NUMBERS = ("price", "tax_rate", "stock")
UPDATES = ("name", "description", "category_id", "price_minor", "currency", "tax_rate_bp", "picture")

MOST_MINOR = 10**12  # far above any price; the column still holds it when a large order adds it up
MOST_STOCK = 10**9
LENGTHS = {"name": 200, "description": 10_000, "category": 80, "picture": 200}


def read(table: Table, *, decimals: int, picture_exists: Callable[[str], bool]) -> Reading | None:
    """Read the rows; None if the columns are not this format's. `decimals` are those of the shop's currency."""
    if (records := table.records(COLUMNS, NUMBERS)) is None:
        return None
    reading = Reading(format=FORMAT, updates=UPDATES)
    first_lines: dict[str, int] = {}
    for record in records:
        reading.rows += 1
        sku = sku_of(record.values["sku"])
        try:
            if record.problem:
                raise ValueError(record.problem)
            draft = _draft(record.line, sku, record.values, decimals, picture_exists)
            if sku in first_lines:
                raise ValueError(f"the SKU stands in line {first_lines[sku]} already")
        except ValueError as problem:
            reading.refused.append(Refused(record.line, sku, str(problem)))
        else:
            first_lines[sku] = record.line
            reading.drafts.append(draft)
    return reading


def _draft(
    line: int, sku: str, values: dict[str, str], decimals: int, picture_exists: Callable[[str], bool]
) -> ProductDraft:
    if not SKU.fullmatch(sku):
        raise ValueError(f'"{sku}" {NO_SKU}')
    for column, longest in LENGTHS.items():
        if len(values[column]) > longest:
            raise ValueError(f"{column} has {len(values[column])} characters, {longest} is the most")
        if CONTROL.search(values[column]):
            raise ValueError(f"{column} holds control characters")
        if column != "description" and len(values[column].splitlines()) > 1:
            raise ValueError(f"{column} goes on over several lines: is a quotation mark missing?")
    for column in ("name", "category"):
        if not values[column]:
            raise ValueError(f"{column} is empty")
    price = _amount(values, "price", decimals, 1, MOST_MINOR)
    tax_rate_bp = _amount(values, "tax_rate", 2, 0, 10_000)  # per cent to basis points
    stock = _amount(values, "stock", 0, 0, MOST_STOCK) if values["stock"] else None
    if values["picture"] and not picture_exists(values["picture"]):
        raise ValueError(f'picture: there is no static file "{values["picture"]}"')
    return ProductDraft(
        line=line,
        sku=sku,
        name=" ".join(values["name"].split()),
        description=values["description"],
        category=" ".join(values["category"].split()),
        price_minor=price,
        tax_rate_bp=tax_rate_bp,
        stock=stock,
        picture=values["picture"],
    )


def _amount(values: dict[str, str], column: str, decimals: int, least: int, most: int) -> int:
    amount = to_minor(values[column], decimals)
    if not least <= amount <= most:
        raise ValueError(f'{column} "{values[column]}" is too {"low" if amount < least else "high"}')
    return amount
