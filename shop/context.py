"""What every page of the shop shows: its name, the categories of the menu, how many pieces are in the cart.

The menu is cached in the process for half a minute, because each page needs it and it changes a few times a year. The
cart is asked for only when the visitor's cookie names one. So who only looks around costs no query for these.
"""

from typing import Any

from django.conf import settings
from django.core.cache import cache
from django.http import HttpRequest
from django.utils.functional import SimpleLazyObject

from shop.cart import keeping
from shop.catalogue import queries
from shop.catalogue.models import Category

SHOP_NAME = "Stampede"
MENU_CACHE_KEY = "shop.menu"
_MENU_SECONDS = 30


def menu() -> list[Category]:
    """Categories with something on sale, in menu order; at most half a minute old."""
    found: list[Category] | None = cache.get(MENU_CACHE_KEY)
    if found is None:
        found = list(queries.categories())
        cache.set(MENU_CACHE_KEY, found, _MENU_SECONDS)
    return found


def storefront(request: HttpRequest) -> dict[str, Any]:
    """The context processor. What costs something is lazy: a page without a menu does not ask for it."""
    return {
        "shop_name": SHOP_NAME,
        "demonstration": settings.PAYMENT_GATEWAY == "sandbox",
        "menu": SimpleLazyObject(menu),
        "cart_count": SimpleLazyObject(lambda: keeping.held_by(request).pieces),
    }
