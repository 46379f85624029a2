"""The demo catalogue, with which the shop is first seen, is whole, and its pictures pass a strict policy."""

import csv
from collections import Counter
from pathlib import Path
from xml.etree import ElementTree

import pytest

from shop.catalogue.models import PLACEHOLDERS

SHOP = Path(__file__).parents[3] / "shop"
STATIC = SHOP / "static"
PICTURES = sorted((STATIC / "shop" / "pictures").glob("*.svg"))
ELEMENTS = {"svg", "g", "path", "rect", "circle", "ellipse"}


def products() -> list[dict[str, str]]:
    with (SHOP / "catalogue" / "demo" / "catalogue.csv").open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def test_forty_products_and_more_in_five_categories_and_more() -> None:
    found = products()
    by_category = Counter(product["category"] for product in found)
    assert len(found) >= 40
    assert len(by_category) >= 5
    assert min(by_category.values()) >= 5
    assert all(product["name"] and len(product["description"]) > 40 for product in found)


def test_the_rush_has_its_thousand_and_one_thing_is_sold_out() -> None:
    stock = {product["sku"]: int(product["stock"]) for product in products()}
    assert stock["BF-1000"] == 1000
    assert list(stock.values()).count(0) == 1


def test_every_product_has_a_picture_of_its_own() -> None:
    named = [product["picture"] for product in products()]
    assert len(set(named)) == len(named)
    assert all((STATIC / picture).is_file() for picture in named)


def test_there_is_a_placeholder_for_every_tint() -> None:
    assert [path.stem for path in PICTURES if path.stem.startswith("placeholder-")] == [
        f"placeholder-{number}" for number in range(1, PLACEHOLDERS + 1)
    ]


@pytest.mark.parametrize("path", PICTURES, ids=lambda path: path.stem)
def test_a_picture_is_small_and_calls_nothing(path: Path) -> None:
    assert path.stat().st_size < 3072
    for element in ElementTree.parse(path).iter():  # noqa: S314  # our own files
        assert element.tag.removeprefix("{http://www.w3.org/2000/svg}") in ELEMENTS
        assert not {"style", "class", "href"} & set(element.attrib)
