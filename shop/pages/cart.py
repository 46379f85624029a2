"""The cart's page, and the one address that changes it."""

from django.contrib import messages
from django.http import Http404, HttpResponse
from django.shortcuts import render
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_POST, require_safe

from shop.cart import contents, cookie
from shop.catalogue.models import Product
from shop.pages.redirects import see_other
from shop.pages.request import ShopRequest


@never_cache
@require_safe
def cart(request: ShopRequest) -> HttpResponse:
    return _shown(request, cookie.read(request), "shop/cart.html")


@never_cache
@require_POST
def cart_change(request: ShopRequest, sku: str) -> HttpResponse:
    """Put `quantity` more of the product into the cart, or with `set` have exactly that many; none takes it out.

    To htmx it answers with the part that changes: the whole cart on the cart's page, a short "added"
    elsewhere.
    """
    held = cookie.read(request)
    quantity = _quantity(request)
    full = False
    if "set" in request.POST:
        held.set(sku, quantity if sku in held.items else 0)
    elif not Product.objects.filter(sku=sku, active=True).exists():
        raise Http404("There is no such product on sale.")
    else:
        try:
            held.add(sku, max(1, quantity))
        except cookie.CartFull:
            full = True

    response: HttpResponse
    if request.htmx and "set" in request.POST:
        response = _shown(request, held, "shop/_cart.html")
    elif request.htmx:
        context = {"full": full, "cart_count": held.pieces, "in_cart": held.items.get(sku, 0)}
        response = render(request, "shop/_added.html", context)
    else:
        if full:
            messages.error(
                request, "Your cart is full. Order what is in it first; the next one starts empty."
            )
        response = see_other("cart")
    cookie.write(response, held)
    return response


def _shown(request: ShopRequest, held: cookie.Cart, template: str) -> HttpResponse:
    shown = contents.look_up(held)
    context = {"cart": shown, "cart_count": held.pieces, "max_quantity": cookie.MAX_QUANTITY}
    response = render(request, template, context)
    if shown.gone:
        cookie.write(response, held)
    return response


def _quantity(request: ShopRequest) -> int:
    """What was typed as a quantity; what is no number counts as one."""
    typed = request.POST.get("quantity", "1").strip()
    return int(typed) if typed.isascii() and typed.isdigit() and len(typed) < 7 else 1
