"""The catalogue in the admin."""

import pytest
from django.contrib.auth import get_user_model
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from pytest_django import Settings

from shop.catalogue.models import Category, Product
from tests.making import stock_to

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _plain_static(settings: Settings) -> None:
    settings.STORAGES = {
        **settings.STORAGES,
        "staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"},
    }


@pytest.fixture
def operator() -> Client:
    staff = get_user_model().objects.create_superuser("staff", password="irrelevant")
    client = Client(SERVER_NAME="testserver")
    client.force_login(staff)
    return client


@pytest.fixture
def kettle() -> Product:
    kitchen = Category.objects.create(name="Kitchen", slug="kitchen")
    stock_to({"KE-1": 7})
    return Product.objects.create(
        sku="KE-1", name="Kettle", category=kitchen, price_minor=3850, currency="GBP"
    )


def form(product: Product, **changes: object) -> dict[str, object]:
    kept = {
        "name": product.name,
        "description": product.description,
        "category": product.category_id,
        "picture": product.picture,
        "price": "38.50",
        "tax_rate_bp": product.tax_rate_bp,
        "active": "on",
    }
    return {**kept, **changes}


def test_the_list_shows_picture_price_and_stock(operator: Client, kettle: Product) -> None:
    page = operator.get(reverse("admin:catalogue_product_changelist"), {"q": "kettle"}).content.decode()
    assert f'src="/static/{kettle.picture_path}"' in page
    assert "£38.50" in page
    assert "KE-1" in page
    assert ">7<" in page.replace("\n", "").replace(" ", "")


def test_the_list_asks_no_more_for_more_products(operator: Client, kettle: Product) -> None:
    def statements() -> int:
        with CaptureQueriesContext(connection) as captured:
            assert operator.get(reverse("admin:catalogue_product_changelist")).status_code == 200
        return len(captured)

    statements()  # the first request of a session asks more
    before = statements()
    Product.objects.bulk_create(
        Product(sku=f"N-{at}", name="N", category=kettle.category, price_minor=1, currency="GBP")
        for at in range(30)
    )
    assert statements() == before


def test_a_price_is_changed_in_pounds_and_kept_in_pence(operator: Client, kettle: Product) -> None:
    address = reverse("admin:catalogue_product_change", args=[kettle.pk])
    assert 'value="38.50"' in operator.get(address).content.decode()
    assert operator.post(address, form(kettle, price="41.05", sku="OTHER")).status_code == 302
    kettle.refresh_from_db()
    assert (kettle.price_minor, kettle.sku) == (4105, "KE-1")


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"price": "41.055"}, "GBP has 2 decimals."),
        ({"price": "0"}, "The lowest price is 0.01."),
        ({"picture": "shop/pictures/unicorn.svg"}, "There is no such static file"),
    ],
)
def test_what_a_page_could_not_show_is_refused(
    operator: Client, kettle: Product, changes: dict[str, str], said: str
) -> None:
    answer = operator.post(
        reverse("admin:catalogue_product_change", args=[kettle.pk]), form(kettle, **changes)
    )
    assert answer.status_code == 200
    assert said in answer.content.decode()


def test_a_new_product_gets_the_shops_currency_and_a_clean_sku(operator: Client, kettle: Product) -> None:
    address = reverse("admin:catalogue_product_add")
    assert operator.post(address, form(kettle, sku=" mu-1 ", name="Mug")).status_code == 302
    mug = Product.objects.get(sku="MU-1")
    assert (mug.currency, mug.price_minor) == ("GBP", 3850)
    assert "Use letters" in operator.post(address, form(kettle, sku="a/b")).content.decode()


def test_stock_is_read_and_products_are_not_deleted(operator: Client, kettle: Product) -> None:
    page = operator.get(reverse("admin:catalogue_product_change", args=[kettle.pk])).content.decode()
    assert "7 on hand, 0 reserved, 0 sold; 7 ever came in." in page
    assert operator.post(reverse("admin:catalogue_product_delete", args=[kettle.pk])).status_code == 403
    assert operator.get(reverse("admin:catalogue_category_changelist")).status_code == 200
