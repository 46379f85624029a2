"""The catalogue over the API."""

import re
from urllib.parse import urlencode

from django.conf import settings
from django.core.paginator import EmptyPage, Paginator
from django.db.models import QuerySet
from django.http import Http404, HttpResponse
from drf_spectacular.utils import OpenApiParameter
from rest_framework.request import Request

from shop.api import problems, schema
from shop.api.base import ApiView, json
from shop.api.serializers import ProductDetailSerializer, ProductPageSerializer, ProductSerializer
from shop.catalogue import queries
from shop.catalogue.models import Category, Product

PER_PAGE = 50
_FROM_1 = {"type": "integer", "minimum": 1}
_NUMBER = re.compile("[1-9][0-9]{0,99}")


class ProductsView(ApiView):
    parameters = ("search", "category", "page")

    @schema.operation(
        "products",
        "list_products",
        "Browse the catalogue",
        schema.response(ProductPageSerializer, "A page of products on sale."),
        problems=[404],
        conditional=True,
        parameters=[
            OpenApiParameter(
                "search",
                {"type": "string", "maxLength": queries.MAX_LENGTH},
                description=f"Up to {queries.MAX_WORDS} words that name or SKU hold; near misses when none does.",
            ),
            OpenApiParameter(
                "category", str, description="Slug of a category; 404 when there is none of it."
            ),
            OpenApiParameter("page", _FROM_1, description=f"From 1; a page has up to {PER_PAGE} products."),
        ],
    )
    def get(self, request: Request) -> HttpResponse:
        asked = {name: request.GET[name] for name in ("search", "category") if request.GET.get(name)}
        paginator = Paginator(_on_sale(asked), PER_PAGE)
        number = request.GET.get("page", "1")
        if not _NUMBER.fullmatch(number):
            raise problems.invalid({"page": ["This has to be a whole number from 1."]})
        try:
            page = paginator.page(int(number))
        except EmptyPage:
            raise Http404(f"There is no such page; the last one is {paginator.num_pages}.") from None

        def link(number: int) -> str:
            return f"{settings.SHOP_URL}{request.path}?{urlencode({**asked, 'page': number})}"

        answer = {
            "count": paginator.count,
            "page": page.number,
            "pages": paginator.num_pages,
            "next": link(page.number + 1) if page.has_next() else None,
            "previous": link(page.number - 1) if page.has_previous() else None,
            "results": ProductSerializer(queries.with_stock(page), many=True).data,
        }
        return json(answer)


class ProductView(ApiView):
    @schema.operation(
        "products",
        "retrieve_product",
        "Look at a product",
        schema.response(ProductDetailSerializer, "The product."),
        problems=[404],
        conditional=True,
        parameters=[OpenApiParameter("sku", str, OpenApiParameter.PATH)],
    )
    def get(self, _request: Request, sku: str) -> HttpResponse:
        # A NUL cannot be asked for: PostgreSQL's text has none.
        try:
            product = queries.product(sku.replace("\x00", "\N{REPLACEMENT CHARACTER}"))
        except Product.DoesNotExist:
            raise Http404("There is no product with this SKU on sale.") from None
        return json(ProductDetailSerializer(product).data)


def _search_text(asked: dict[str, str]) -> str:
    if len(asked["search"]) > queries.MAX_LENGTH:
        raise problems.invalid({"search": [f"Up to {queries.MAX_LENGTH} characters are possible."]})
    if len(asked["search"].split()) > queries.MAX_WORDS:
        raise problems.invalid({"search": [f"Up to {queries.MAX_WORDS} words are possible."]})
    return asked["search"]


def _on_sale(asked: dict[str, str]) -> QuerySet[Product]:
    slug = asked.get("category", "")
    if slug and ("\x00" in slug or not Category.objects.filter(slug=slug).exists()):
        raise Http404("There is no category with this slug.")
    products = queries.on_sale(slug)
    return queries.search(products, _search_text(asked)) if "search" in asked else products
