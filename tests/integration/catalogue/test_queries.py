"""What pages and API get: the likeliest first, stock for all at once, nothing that is not on sale."""

import pytest
from django.db import connection
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pytest_django import DjangoAssertNumQueries

from shop.catalogue import queries
from shop.catalogue.models import Category, Product
from tests.making import stock_to

pytestmark = pytest.mark.django_db

NAMES = {
    "KE-1": "Stovetop Kettle",
    "KE-2": "Kettle Brush",
    "MU-1": "Mug 100% Stoneware",
    "MU-2": "Enamel Mug_Set",
    "MUG": "Tankard",
    "LA-1": "Smuggler's Lamp",
}


@pytest.fixture(autouse=True)
def _products() -> None:
    kitchen = Category.objects.create(name="Kitchen", slug="kitchen", position=2)
    light = Category.objects.create(name="Light", slug="light", position=1)
    Category.objects.create(name="Empty", slug="empty")
    common = {"price_minor": 100, "currency": "GBP"}
    Product.objects.bulk_create(
        Product(sku=sku, name=name, category=light if sku == "LA-1" else kitchen, **common)
        for sku, name in NAMES.items()
    )
    Product.objects.create(sku="GONE", name="Kettle of Old", category=kitchen, active=False, **common)
    stock_to({"KE-1": 7, "MUG": 0})


def found(text: str, category: str = "") -> list[str]:
    return [product.sku for product in queries.search(queries.on_sale(category), text)]


@pytest.mark.parametrize(
    ("text", "skus"),
    [
        ("", ["MU-2", "KE-2", "MU-1", "LA-1", "KE-1", "MUG"]),
        ("kettle", ["KE-2", "KE-1"]),
        ("KETTLE  stove", ["KE-1"]),
        ("mug", ["MUG", "MU-1", "MU-2", "LA-1"]),
        ("ke-1", ["KE-1"]),
        ("100%", ["MU-1"]),
        ("mug_", ["MU-2"]),
        ("%", ["MU-1"]),
        ("\\", []),
        ("ket\x00tle", ["KE-2", "KE-1"]),
        ("xyzzy", []),
    ],
)
def test_every_word_must_be_found_and_the_likeliest_comes_first(text: str, skus: list[str]) -> None:
    assert found(text) == skus


def test_a_search_in_one_category() -> None:
    assert found("mug", "light") == ["LA-1"]
    assert found("", "light") == ["LA-1"]
    assert found("mug", "no-such-category") == []


@pytest.mark.parametrize("text", ["kettel brush", "brussh kettel", "ketle", "Kettel"])
def test_typing_errors_are_corrected(text: str) -> None:
    assert found(text)[0] == "KE-2"


# A name as the catalogue has it, and what people type to find it.
TYPED = {
    "Café Crème Bowl": ("cafe", "CAFÉ", "cafe\u0301", "cre\u0300me", "ＣＡＦＥ"),
    "Cafe\u0301 Spoon": ("café spoon", "cafe spoon"),  # the catalogue's accent is a letter of its own
    "Straßenlampe": ("strassenlampe", "STRASSENLAMPE", "straße"),
    "Łódź Carpet": ("lodz", "łódź", "Lódz"),
    "Smørrebrød Board": ("smorrebrod", "SMØRREBRØD"),
    "Bread Knives": ("bread knive", "knives"),
    "Sieve": ("sieves",),
    "Glass Tumbler": ("tumblers", "glasses"),
    "Чайник": ("чайник", "ЧАЙНИК"),
    "茶碗": ("茶碗", "茶"),
}


@pytest.mark.parametrize(("name", "text"), [(name, text) for name in TYPED for text in TYPED[name]])
def test_neither_accents_nor_case_nor_plural_matter(name: str, text: str) -> None:
    kitchen = Category.objects.get(slug="kitchen")
    Product.objects.create(sku="X-1", name=name, category=kitchen, price_minor=1, currency="GBP")
    assert found(text) == ["X-1"]


def test_words_of_the_description_are_found_after_those_of_a_name() -> None:
    words = "Hand-thrown; keeps a kettle's worth of tea warm. Dishwashers welcome."
    Product.objects.filter(sku="MUG").update(description=words)
    assert found("kettle") == ["KE-2", "KE-1", "MUG"]
    assert found("dishwasher") == ["MUG"]
    assert found("tankard warm") == ["MUG"]


def test_the_indexes_are_those_that_search_asks() -> None:
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL enable_seqscan = off")
    plan = queries.search(Product.objects.all(), "kettle").explain()
    assert "product_by_letters" in plan
    assert "product_by_words" in plan


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(st.text(max_size=200))
def test_no_text_breaks_the_search(text: str) -> None:
    assert len(found(text)) <= len(NAMES)


def test_stock_comes_for_all_in_one_query(django_assert_num_queries: DjangoAssertNumQueries) -> None:
    with django_assert_num_queries(1):
        products = list(queries.on_sale())
        assert {product.category.name for product in products} == {"Kitchen", "Light"}
    # orders.inventory asks past Django's cursor, so its one query is not among those counted here.
    with django_assert_num_queries(0):
        stock = {product.sku: product.on_hand for product in queries.with_stock(products)}
    assert stock == {**dict.fromkeys(NAMES, 0), "KE-1": 7}
    assert queries.with_stock([]) == []


def test_one_product_by_its_sku() -> None:
    product = queries.product("ke-1")
    assert (product.sku, product.on_hand, product.category.name) == ("KE-1", 7, "Kitchen")
    for missing in ("GONE", "NO-SUCH", "a/b", "", "K\x00"):
        with pytest.raises(Product.DoesNotExist):
            queries.product(missing)


def test_the_menu_has_categories_with_something_on_sale() -> None:
    menu = [(category.name, vars(category)["products_on_sale"]) for category in queries.categories()]
    assert menu == [("Light", 1), ("Kitchen", 5)]
