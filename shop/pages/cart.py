"""The cart's page, and the one address that changes it."""

from django.contrib import messages
from django.http import Http404, HttpResponse
from django.shortcuts import render
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_POST, require_safe

from shop.cart import contents, cookie, keeping
from shop.catalogue.models import Product
from shop.pages.redirects import see_other
from shop.pages.request import ShopRequest


@never_cache
@require_safe
def cart(request: ShopRequest) -> HttpResponse:
    return _shown(request, keeping.held_by(request), "shop/cart.html")


@never_cache
@require_POST
def cart_change(request: ShopRequest, sku: str) -> HttpResponse:
    """Put `quantity` more of the product into the cart, or with `set` have exactly that many; none takes it out.

    To htmx it answers with the part that changes: the whole cart on the cart's page, a short "added" elsewhere. What
    does not fit is refused in words, and the cart stays as it is.
    """
    token = cookie.token_for(request)
    setting = "set" in request.POST
    if not setting and not Product.objects.filter(sku=sku, active=True).exists():
        raise Http404("There is no such product on sale.")
    problem = ""
    try:
        quantity = _quantity(request, least=0 if setting else 1)
        held = keeping.have(token, sku, quantity) if setting else keeping.add(token, sku, quantity)
    except keeping.DoesNotFit as reason:
        held, problem = keeping.held_by(request), str(reason)

    response: HttpResponse
    if request.htmx and setting:
        response = _shown(request, held, "shop/_cart.html", problem)
    elif request.htmx:
        context = {"problem": problem, "cart_count": held.pieces, "in_cart": held.items.get(sku, 0)}
        response = render(request, "shop/_added.html", context)
    else:
        if problem:
            messages.error(request, problem)
        response = see_other("cart")
    cookie.hand_out(response, token)
    return response


def _shown(request: ShopRequest, held: keeping.Held, template: str, problem: str = "") -> HttpResponse:
    shown = contents.look_up(held)
    if shown.gone:
        held = keeping.take_out(cookie.token_of(request), shown.gone)
    context = {
        "cart": shown,
        "cart_count": held.pieces,
        "max_quantity": keeping.MAX_QUANTITY,
        "problem": problem,
    }
    return render(request, template, context)


def _quantity(request: ShopRequest, least: int) -> int:
    """The number that was typed, in the digits of whatever script. Raises DoesNotFit for what is none to have here."""
    typed = request.POST.get("quantity", "1").strip()
    if typed.isdecimal() and len(typed) < 10 and int(typed) >= least:
        return int(typed)
    said = f"“{typed[:20]}” is no number of pieces" if typed else "No number was given"
    raise keeping.DoesNotFit(
        f"{said}, so nothing was changed. Please give a whole number from {least} to {keeping.MAX_QUANTITY}."
    )
