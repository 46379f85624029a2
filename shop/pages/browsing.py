"""Home, categories, search and a product's own page."""

from collections.abc import Iterable
from dataclasses import dataclass

from django.core.paginator import InvalidPage, Page, Paginator
from django.db.models import F, Q, QuerySet, Window
from django.db.models.functions import RowNumber
from django.http import Http404, HttpResponse
from django.shortcuts import get_object_or_404, render
from django.utils.cache import patch_vary_headers
from django.views.decorators.http import require_safe

from shop.cart.contents import Availability
from shop.cart.keeping import MAX_QUANTITY
from shop.catalogue import queries
from shop.catalogue.models import Category, Product
from shop.pages.request import ShopRequest, wants_fragment
from shop.pages.shared import shared
from shop.videos.playback import playback_of, preparation_of

PER_PAGE = 24
_SHELF = 4  # products of each category on the home page
_RELATED = 4
_HERO = "BF-"  # how the SKU of the Black Friday offer begins; the first such product opens the home page


@dataclass(frozen=True, slots=True)
class Offer:
    """A product and how many of it can be had."""

    product: Product
    stock: Availability


@require_safe
@shared
def home(request: ShopRequest) -> HttpResponse:
    """The product everybody came for, and the first few of each category."""
    # One more than a shelf holds, should the hero be among them.
    ranked = queries.on_sale().annotate(
        rank=Window(RowNumber(), partition_by=F("category"), order_by=[F("name").asc(), F("id").asc()])
    )
    shown = ranked.filter(Q(rank__lte=_SHELF + 1) | Q(sku__startswith=_HERO))
    offers = _offers(shown.order_by("category__position", "category__name", "rank"))
    hero = next((offer for offer in offers if offer.product.sku.startswith(_HERO)), None)
    shelves: dict[Category, list[Offer]] = {}
    for offer in offers:
        if offer is not hero and len(shelf := shelves.setdefault(offer.product.category, [])) < _SHELF:
            shelf.append(offer)
    return render(request, "shop/home.html", {"hero": hero, "shelves": list(shelves.items())})


@require_safe
@shared
def category(request: ShopRequest, slug: str) -> HttpResponse:
    shown = get_object_or_404(Category, slug=slug)
    page = _page(request, queries.on_sale(slug))
    return render(request, "shop/category.html", {"category": shown, "page": page, "offers": _offers(page)})


@require_safe
@shared
def search(request: ShopRequest) -> HttpResponse:
    """Results as a page of their own; to htmx, which asks while one types, only the part that changes."""
    typed = request.GET.get("q", "").strip()
    text = " ".join(typed[: queries.MAX_LENGTH].split()[: queries.MAX_WORDS])
    page = _page(request, queries.search(queries.on_sale(), text))
    template = "shop/_results.html" if wants_fragment(request) else "shop/search.html"
    cut = "" if text == " ".join(typed.split()) else text
    context = {"q": text, "cut": cut, "page": page, "offers": _offers(page), "live_search": True}
    response = render(request, template, context)
    patch_vary_headers(response, ["HX-Request", "HX-History-Restore-Request"])
    return response


@require_safe
@shared
def product(request: ShopRequest, sku: str) -> HttpResponse:
    try:
        shown = queries.product(sku)
    except Product.DoesNotExist:
        raise Http404("There is no such product on sale.") from None
    nearby = queries.on_sale(shown.category.slug).exclude(pk=shown.pk)[:_RELATED]
    context = {
        "offer": Offer(shown, Availability(shown.on_hand)),
        "related": _offers(nearby),
        "max_quantity": MAX_QUANTITY,
        "playback": playback_of(shown),
        # Staff alone, who have a session.
        "preparation": preparation_of(shown) if not request.shared and request.user.is_staff else None,
    }
    return render(request, "shop/product.html", context)


def _offers(products: Iterable[Product]) -> list[Offer]:
    """The products with what can be had of each; one query for all of them."""
    return [Offer(product, Availability(product.on_hand)) for product in queries.with_stock(products)]


def _page(request: ShopRequest, products: QuerySet[Product]) -> Page[Product]:
    """The page that was asked for, the first if none was. Raises Http404 when there is no such page."""
    paginator = Paginator(products, PER_PAGE)
    try:
        return paginator.page(request.GET.get("page", 1))
    except InvalidPage:
        raise Http404(f"There is no such page; the last one is {paginator.num_pages}.") from None
