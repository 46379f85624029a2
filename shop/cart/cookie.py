"""The cart in its cookie: signed, so that only we write it; bounded, so that it always fits into one.

A cookie that is forged, damaged, outdated or of another shape is an empty cart, never an error: the visitor
can always go on shopping. Prices are not in it, and nothing in it is trusted beyond "this SKU, that many".
"""

import uuid
from dataclasses import dataclass, field
from typing import Any

from django.conf import settings
from django.core import signing
from django.http import HttpRequest, HttpResponse

NAME = "cart"
MAX_QUANTITY = 99  # pieces of one product
MAX_LINES = 40  # different products
_MAX_BYTES = 3800  # browsers keep 4096 for name, value and attributes together
_MAX_AGE = 30 * 24 * 3600  # seconds
_SALT = "shop.cart"
_MAX_SKU = 40


class CartFull(Exception):
    """The cart holds as many different products as it can."""


@dataclass(slots=True)
class Cart:
    """SKU -> pieces, in the order they were put in.

    `key` is the idempotency key of the checkout that this cart has become, empty before; `refilled_from` the
    token of the order whose goods were put back into it, empty mostly.
    """

    items: dict[str, int] = field(default_factory=dict)
    key: str = ""
    refilled_from: str = ""

    @property
    def pieces(self) -> int:
        return sum(self.items.values())

    def add(self, sku: str, quantity: int) -> None:
        """Put `quantity` more of the SKU in, up to MAX_QUANTITY; raises CartFull and leaves the cart as it is."""
        self.set(sku, self.items.get(sku, 0) + quantity)

    def set(self, sku: str, quantity: int) -> None:
        """Have exactly `quantity` of the SKU, up to MAX_QUANTITY; none or less takes it out. Raises CartFull."""
        if quantity <= 0:
            self.items.pop(sku, None)
            return
        before = dict(self.items)
        self.items[sku] = min(quantity, MAX_QUANTITY)
        if len(self.items) > MAX_LINES or len(_packed(self)) > _MAX_BYTES:
            self.items = before
            raise CartFull

    def become_checkout(self) -> str:
        """The key of this cart's checkout; made at the first call and the same until the cart is emptied."""
        self.key = self.key or uuid.uuid4().hex
        return self.key


def read(request: HttpRequest) -> Cart:
    """The visitor's cart; the same object however often a request asks."""
    kept = vars(request)
    if "cart" not in kept:
        kept["cart"] = _unpacked(request.COOKIES.get(NAME, ""))
    cart: Cart = kept["cart"]
    return cart


def write(response: HttpResponse, cart: Cart) -> None:
    """Send the cart back to the visitor; an empty one takes its cookie away."""
    if not cart.items:
        response.delete_cookie(NAME, samesite="Lax")
        return
    response.set_cookie(
        NAME,
        _packed(cart),
        max_age=_MAX_AGE,
        secure=settings.SESSION_COOKIE_SECURE,
        httponly=True,
        samesite="Lax",
    )


def _packed(cart: Cart) -> str:
    content: dict[str, Any] = {"items": cart.items}
    if cart.key:
        content["key"] = cart.key
    if cart.refilled_from:
        content["from"] = cart.refilled_from
    return signing.dumps(content, salt=_SALT, compress=True)


def _unpacked(value: str) -> Cart:
    try:
        content = signing.loads(value, salt=_SALT, max_age=_MAX_AGE)
    except signing.BadSignature:
        return Cart()
    if not isinstance(content, dict) or not isinstance(content.get("items"), dict):
        return Cart()
    # Signed by us, but perhaps by an older release with other bounds.
    items = {
        sku: min(quantity, MAX_QUANTITY)
        for sku, quantity in content["items"].items()
        if isinstance(quantity, int) and quantity > 0 and 0 < len(sku) <= _MAX_SKU
    }
    return Cart(
        items=dict(list(items.items())[:MAX_LINES]),
        key=str(content.get("key", "")),
        refilled_from=str(content.get("from", "")),
    )
