"""Reads and changes carts. Every change is a difference that is made under the cart's lock.

So requests that a browser sends at once wait for each other for a moment, and none undoes what another did. What does
not fit is refused in words and changes nothing: a number is never cut to what would fit.
"""

import uuid
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from typing import LiteralString

from django.db import transaction
from django.http import HttpRequest
from django.utils import timezone

from orders import sql
from shop.cart import cookie
from shop.cart.models import Cart, CartLine

MAX_QUANTITY = 99  # pieces of one product
MAX_LINES = 100  # different products
_SWEPT = 1_000  # carts that one statement deletes

# A cart with its lines; one row without a SKU for an empty one.
_READ: LiteralString = """
SELECT c.id, c.checkout_key, c.ordered_key, c.refilled_from, l.sku, l.quantity
FROM cart_cart c LEFT JOIN cart_cartline l ON l.cart_id = c.id
WHERE c.token = %(token)s ORDER BY l.id
"""
# Lock a cart until the transaction ends, with one statement also for its first change, and note that it is in use.
_LOCK: LiteralString = """
INSERT INTO cart_cart (token, checkout_key, ordered_key, refilled_from) VALUES (%(token)s, %(key)s, '', '')
ON CONFLICT (token) DO UPDATE SET changed_at = now()
"""
# Have so many pieces of each SKU.
_HAVE: LiteralString = """
INSERT INTO cart_cartline (cart_id, sku, quantity)
SELECT %(cart)s, sku, quantity FROM unnest(%(skus)s::text[], %(quantities)s::int[]) AS one (sku, quantity)
ON CONFLICT (cart_id, sku) DO UPDATE SET quantity = excluded.quantity
"""


class DoesNotFit(Exception):
    """The cart cannot take that, and stays as it is; the message says why, to the visitor."""


@dataclass(slots=True)
class Held:
    """What a cart held when it was read: SKU -> pieces, in the order they were put in.

    `key` is the idempotency key of the checkout that this cart becomes; "" if the visitor has no cart. `ordered_key` is
    that of the checkout before, which became an order, and `refilled_from` the token of the order whose goods were put
    back; both are empty mostly.
    """

    items: dict[str, int] = field(default_factory=dict)
    key: str = ""
    ordered_key: str = ""
    refilled_from: str = ""
    cart_id: int = 0

    @property
    def pieces(self) -> int:
        return sum(self.items.values())


def held_by(request: HttpRequest) -> Held:
    """The visitor's cart as it is now; the same object however often a request asks."""
    kept = vars(request)
    if "cart" not in kept:
        token = cookie.token_of(request)
        kept["cart"] = _read(token) if token else Held()
    held: Held = kept["cart"]
    return held


def add(token: str, sku: str, quantity: int) -> Held:
    """Put `quantity` more of the SKU in. Raises DoesNotFit."""
    with _locked(token) as held:
        before = held.items.get(sku, 0)
        if before and before + quantity > MAX_QUANTITY:
            raise DoesNotFit(
                f"Up to {MAX_QUANTITY} pieces of a product fit into one cart. {before} are in yours already, so "
                "nothing was added."
            )
        _have(held, {sku: before + quantity})
    return held


def have(token: str, sku: str, quantity: int) -> Held:
    """Have exactly `quantity` of a SKU that is in the cart; one that is not stays out. Raises DoesNotFit."""
    with _locked(token) as held:
        if sku in held.items:
            _have(held, {sku: quantity})
    return held


def take_out(token: str, skus: Iterable[str]) -> Held:
    """Have none of these any more."""
    with _locked(token) as held:
        _have(held, dict.fromkeys(skus, 0))
    return held


def refill(token: str, order_token: str, items: Iterable[tuple[str, int]]) -> list[str]:
    """Put an order's goods back in: at least as many of each as were ordered, for a new checkout. Returns the SKUs that
    did not fit."""
    left_out = []
    with _locked(token) as held:
        fitting: dict[str, int] = {}
        for sku, quantity in items:
            wanted = max(quantity, held.items.get(sku, 0))
            if wanted > MAX_QUANTITY or len(held.items.keys() | fitting.keys() | {sku}) > MAX_LINES:
                left_out.append(sku)
            else:
                fitting[sku] = wanted
        _have(held, fitting)
        _begin_anew(held, refilled_from=order_token)
    return left_out


def became_order(token: str, key: str, items: Iterable[tuple[str, int]]) -> None:
    """Take out what was ordered under the key, once; what came in since it was ordered stays for the next checkout."""
    with _locked(token) as held:
        if held.key == key:  # or another answer to the same checkout was first
            _have(held, {sku: held.items.get(sku, 0) - quantity for sku, quantity in items})
            _begin_anew(held, ordered_key=key)


def sweep() -> int:
    """Delete carts whose cookie has expired; returns how many."""
    expired = Cart.objects.filter(changed_at__lt=timezone.now() - timedelta(seconds=cookie.MAX_AGE))
    with transaction.atomic():
        # Locked, because a visitor may come back in this moment.
        oldest = expired.order_by("changed_at").select_for_update(skip_locked=True)[:_SWEPT]
        ids = list(oldest.values_list("id", flat=True))
        Cart.objects.filter(pk__in=ids).delete()
    return len(ids)


@contextmanager
def _locked(token: str) -> Iterator[Held]:
    """The cart, for changes that nobody else's come between; it is made if there is none."""
    with transaction.atomic():
        sql.count(_LOCK, {"token": token, "key": uuid.uuid4().hex})
        yield _read(token)


def _read(token: str) -> Held:
    held = Held()
    for held.cart_id, held.key, held.ordered_key, held.refilled_from, sku, quantity in sql.rows(
        _READ, {"token": token}
    ):
        if sku is not None:
            held.items[sku] = quantity
    return held


def _have(held: Held, wanted: Mapping[str, int]) -> None:
    """Have exactly so many pieces of each of these; none or less takes it out. Raises DoesNotFit."""
    if any(quantity > MAX_QUANTITY for quantity in wanted.values()):
        raise DoesNotFit(
            f"Up to {MAX_QUANTITY} pieces of a product fit into one cart, so nothing was changed."
        )
    kept = {sku: quantity for sku, quantity in wanted.items() if quantity > 0}
    if kept.keys() - held.items.keys() and len(kept.keys() | held.items.keys()) > MAX_LINES:
        raise DoesNotFit("Your cart is full. Order what is in it first; the next one starts empty.")
    if gone := wanted.keys() - kept:
        CartLine.objects.filter(cart_id=held.cart_id, sku__in=gone).delete()
    if kept:
        params = {"cart": held.cart_id, "skus": list(kept), "quantities": list(kept.values())}
        sql.count(_HAVE, params)
    held.items = {sku: quantity for sku, quantity in {**held.items, **kept}.items() if sku not in gone}


def _begin_anew(held: Held, *, ordered_key: str = "", refilled_from: str = "") -> None:
    """Another key, because the checkout of the present one is over."""
    Cart.objects.filter(pk=held.cart_id).update(
        checkout_key=uuid.uuid4().hex, ordered_key=ordered_key, refilled_from=refilled_from
    )
