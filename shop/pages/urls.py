"""The routes of the storefront. Each page answers 503 by itself when the database is away."""

from typing import Any

from django.urls import URLPattern, path

from shop.pages import browsing, cart, checkout, files, order, site, videos
from shop.pages.availability import open_while_possible


def _page(route: str, view: Any) -> URLPattern:
    return path(route, open_while_possible(view), name=view.__name__)


urlpatterns = [
    _page("", browsing.home),
    _page("search/", browsing.search),
    _page("c/<slug:slug>/", browsing.category),
    _page("products/<str:sku>/", browsing.product),
    _page("products/<str:sku>/captions/<str:language>.vtt", videos.captions),
    _page("videos/<uuid:token>/progress/", videos.video_progress),
    _page("cart/", cart.cart),
    _page("cart/<str:sku>/", cart.cart_change),
    _page("checkout/", checkout.checkout),
    _page("orders/<str:token>/", order.order),
    _page("orders/<str:token>/progress/", order.order_progress),
    _page("orders/<str:token>/cancel/", order.order_cancel),
    _page("orders/<str:token>/again/", order.order_again),
    _page("orders/<str:token>/invoice.pdf", order.invoice),
    _page("orders/<str:token>/<str:number>.pdf", order.order_document),
    path("files/<str:sealed>/<str:filename>", files.hand_out, name="file"),
    path("robots.txt", site.robots),
    path("favicon.ico", site.favicon),
]
