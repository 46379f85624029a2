"""GET /api/products/: browsing, searching and paging through the catalogue."""

import json
from typing import Any

import pytest
from django.conf import settings
from django.http import HttpResponse

from shop.catalogue.models import Category, Product
from shop.videos.models import Caption
from tests.integration.api.conftest import KETTLE, Api, problem
from tests.showing import publish_video

pytestmark = pytest.mark.usefixtures("shop")


def _found(response: HttpResponse) -> list[str]:
    assert response.status_code == 200, response.content
    return [product["sku"] for product in json.loads(response.content)["results"]]


def test_a_product_is_told_with_price_tax_and_stock(api: Api) -> None:
    assert json.loads(api.get("/api/products/KETTLE/").content) == {
        "sku": "KETTLE",
        "name": "Cast iron kettle",
        "description": "",
        "category": {"slug": "kitchen", "name": "Kitchen"},
        "price": KETTLE,
        "currency": "GBP",
        "tax_rate_bp": 2000,
        "available": 50,
        "picture": None,
        "url": f"{settings.SHOP_URL}/products/KETTLE/",
        "video": None,
    }


def test_a_product_with_a_video_tells_where_it_is(api: Api) -> None:
    video = publish_video(Product.objects.get(sku="KETTLE"), duration_ms=42_500, width=1280, height=720)
    Caption.objects.create(product=video.product, language="en", label="English", text="WEBVTT\n")
    folder = f"{settings.SHOP_URL}/media/videos/{video.token}"
    assert json.loads(api.get("/api/products/KETTLE/").content)["video"] == {
        "duration": 42.5,
        "width": 1280,
        "height": 720,
        "poster": f"{folder}/poster.jpg",
        "hls": f"{folder}/master.m3u8",
        "mp4": f"{folder}/fallback.mp4",
        "thumbnails": f"{folder}/thumbnails.vtt",
        "captions": [
            {
                "language": "en",
                "label": "English",
                "url": f"{settings.SHOP_URL}/products/KETTLE/captions/en.vtt",
            }
        ],
    }


def test_a_list_asks_nothing_about_videos(api: Api, django_assert_max_num_queries: Any) -> None:
    for product in Product.objects.all():
        publish_video(product)
    with django_assert_max_num_queries(4):
        results = json.loads(api.get("/api/products/").content)["results"]
    assert all("video" not in product for product in results)


def test_the_catalogue_is_listed_by_name(api: Api) -> None:
    answer = json.loads(api.get("/api/products/").content)
    assert [product["sku"] for product in answer["results"]] == ["BOOK", "KETTLE", "MUG"]
    assert {name: answer[name] for name in ("count", "page", "pages", "next", "previous")} == {
        "count": 3,
        "page": 1,
        "pages": 1,
        "next": None,
        "previous": None,
    }


@pytest.mark.parametrize(
    ("query", "skus"),
    [
        ("search=kettle", ["KETTLE"]),
        ("search=mug", ["MUG"]),
        ("search=KNOTS", ["BOOK"]),
        ("search=100%25", []),
        ("search=%00mug", ["MUG"]),
        ("search=", ["BOOK", "KETTLE", "MUG"]),
        ("category=kitchen", ["KETTLE", "MUG"]),
        ("category=kitchen&search=mug", ["MUG"]),
        ("category=books&search=mug", []),
    ],
)
def test_searching(api: Api, query: str, skus: list[str]) -> None:
    assert _found(api.get(f"/api/products/?{query}")) == skus


def test_what_is_not_on_sale_is_not_shown(api: Api) -> None:
    Product.objects.filter(sku="MUG").update(active=False)
    assert _found(api.get("/api/products/")) == ["BOOK", "KETTLE"]
    problem(api.get("/api/products/MUG/"), 404)


def test_paging_leads_through_every_product_once(api: Api) -> None:
    category = Category.objects.get(slug="kitchen")
    Product.objects.bulk_create(
        Product(sku=f"P{n:03}", name=f"Pot {n:03}", category=category, price_minor=100, currency="GBP")
        for n in range(120)
    )
    seen: list[str] = []
    path: str | None = "/api/products/?category=kitchen&search=pot"
    while path:
        answer = json.loads(api.get(path).content)
        seen += [product["sku"] for product in answer["results"]]
        assert (answer["count"], answer["pages"]) == (120, 3)
        path = (answer["next"] or "").removeprefix(settings.SHOP_URL)
    assert seen == [f"P{n:03}" for n in range(120)]
    assert (
        answer["previous"].endswith("?category=kitchen&search=pot&page=2") or "page=2" in answer["previous"]
    )


@pytest.mark.parametrize(
    ("query", "status"),
    [
        ("page=2", 404),
        ("page=0", 400),
        ("page=-1", 400),
        ("page=+1", 400),
        ("page=%D9%A3", 400),  # a three, in Arabic
        ("page=1_0", 400),
        ("page=", 400),
        ("page=99999999999999999999999", 404),
        ("page=two", 400),
        ("page=" + "9" * 5000, 400),
        ("category=garden", 404),
        ("category=%00", 404),
        ("search=" + "x" * 101, 400),
    ],
)
def test_what_cannot_be_listed(api: Api, query: str, status: int) -> None:
    found = problem(api.get(f"/api/products/?{query}"), status)
    assert ("errors" in found) is (status == 400)


def test_a_list_takes_a_few_queries_however_long_it_is(api: Api, django_assert_max_num_queries: Any) -> None:
    with django_assert_max_num_queries(4):
        assert len(_found(api.get("/api/products/"))) == 3
