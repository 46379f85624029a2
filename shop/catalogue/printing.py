"""The product catalogue as a printout: every product on sale, by category, with its picture, price and SKU.

Pictures are static files, which may be anywhere on the machine. So typst may read all of it here, and paths come only
from Django's finders, never from user input.
"""

from collections.abc import Iterable, Iterator
from functools import lru_cache
from pathlib import Path
from typing import Any, LiteralString

from django.contrib.staticfiles import finders

from orders.models import Printout
from orders.money import format
from orders.printouts.recipes import Piece, Recipe, Row, cut
from orders.typesetting import breakable
from shop.catalogue import pictures
from shop.catalogue.models import placeholder

# How many products the printout has.
_COUNTS: LiteralString = "SELECT count(*) FROM catalogue_product WHERE active"
# The products in the order of the printout.
_ROWS: LiteralString = """
SELECT c.name, p.sku, p.name, p.description, p.price_minor, p.currency, p.picture, p.category_id
FROM catalogue_product p JOIN catalogue_category c ON c.id = p.category_id
WHERE p.active ORDER BY c.position, c.name, p.name, p.id
"""
_PRODUCTS_A_PIECE = 120
_SHOWN = 160  # characters of a description
_FORMATS = frozenset({".svg", ".png", ".jpg", ".jpeg", ".gif", ".webp"})


def _pieces(_: Printout, rows: Iterable[Row]) -> Iterator[Piece]:
    before = ""
    for some in cut(rows, _PRODUCTS_A_PIECE, least=1):
        products = []
        for category, sku, name, description, price, currency, picture, category_id in some:
            products.append(
                {
                    "category": category if category != before else "",
                    "sku": breakable(sku),
                    "name": breakable(name),
                    "text": breakable(_short(description)),
                    "price": format(price, currency),
                    "picture": _path(picture or placeholder(category_id)),
                }
            )
            before = category
        yield Piece({"products": products}, len(products))


def _short(text: str) -> str:
    words = " ".join(text.split())
    return words if len(words) <= _SHOWN else words[:_SHOWN].rpartition(" ")[0] + " …"


@lru_cache(maxsize=4096)
def _path(picture: str) -> str:
    """Where the picture is; "" for one that typst cannot draw."""
    found: Any = finders.find(picture) if pictures.exists(picture) else None
    return str(found) if found and Path(found).suffix.lower() in _FORMATS else ""


RECIPE = Recipe(_COUNTS, _ROWS, _pieces, Path(__file__).with_name("catalogue.typ"), root=Path("/"))
