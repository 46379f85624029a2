"""Placing an order: one statement writes the order, its lines, its payment, its first event and the time it is due.

One statement is one transaction and one round trip. Nothing is published: the relay finds the order because it is due.
An order is placed once for each idempotency key, however often and however simultaneously it is asked for; and one that
failed is tried again once, under whichever keys that is asked for (orders.models.successor).
"""

import secrets
from collections.abc import Sequence
from dataclasses import dataclass, replace
from hashlib import blake2b
from typing import LiteralString

from django.db import DatabaseError, IntegrityError, InterfaceError, OperationalError
from psycopg.errors import UniqueViolation

from orders import sql
from orders.crashpoints import Point, reached
from orders.database import died
from orders.links import order_url
from orders.models.order import Order, number_of
from orders.money import tax_within
from orders.states import PaymentMethod


@dataclass(frozen=True, slots=True)
class Address:
    name: str
    line1: str
    line2: str
    city: str
    postcode: str
    country: str  # ISO 3166-1 alpha-2


@dataclass(frozen=True, slots=True)
class LineDraft:
    """A line as the catalogue prices it: gross unit price in minor units, tax rate in basis points."""

    sku: str
    name: str
    quantity: int
    unit_price_minor: int
    tax_rate_bp: int


@dataclass(frozen=True, slots=True)
class OrderDraft:
    """All that is written when an order is placed. `lines` holds each SKU once; `retries` is the id of the failed order
    that this one is another try of.

    `key` is the idempotency key. Where strangers draw keys as they like, `client` is who drew it, by e-mail address:
    the same key of another client is another key. It is empty for a key that nobody else can know.
    """

    key: str
    fingerprint: str
    email: str
    phone: str
    address: Address
    currency: str
    lines: Sequence[LineDraft]
    payment_method: str
    payment_token: str
    retries: int | None = None
    client: str = ""


@dataclass(frozen=True, slots=True)
class Placed:
    """The answer to the shopper; `created` is False when the key had placed this order before."""

    id: int
    token: str
    total_minor: int
    currency: str
    created: bool

    @property
    def number(self) -> str:
        return number_of(self.id)

    @property
    def url(self) -> str:
        return order_url(self.token)


class KeyReused(Exception):
    """The idempotency key has placed an order from another request of the same client."""

    def __init__(self, placed: Placed) -> None:
        super().__init__(f"This key has already placed order {placed.number} from a different request.")
        self.placed = placed


class StillBeingPlaced(Exception):
    """Another request with this key is being handled at this moment."""


class AlreadyRetried(Exception):
    """The failed order has a successor, and gets no second one (orders.models.successor.successor_of)."""


_RETRIED = "The order that failed was tried again already."
# Write the order with all that belongs to it, if the key is free and has placed no order, and the order that it tries
# again has no successor.
_WRITE: LiteralString = """
WITH gate AS MATERIALIZED ($gate), placed AS (
    INSERT INTO orders_order (token, idempotency_key, fingerprint, email, phone, name, line1, line2, city, postcode,
                              country, payment_method, currency, total_minor, tax_minor)
    SELECT %(token)s, %(key)s, %(fingerprint)s, %(email)s, %(phone)s, %(name)s, %(line1)s, %(line2)s, %(city)s,
           %(postcode)s, %(country)s, %(payment_method)s, %(currency)s, %(total)s, %(tax)s
    FROM gate WHERE gate.free AND NOT EXISTS (SELECT FROM orders_successor WHERE failed_id = %(retries)s)
    ON CONFLICT (idempotency_key) DO NOTHING
    RETURNING id
), lines AS (
    INSERT INTO orders_orderline (order_id, position, sku, name, quantity, unit_price_minor, tax_rate_bp)
    SELECT placed.id, line.position, line.sku, line.name, line.quantity, line.price, line.tax
    FROM placed, unnest(%(skus)s::text[], %(names)s::text[], %(quantities)s::int[], %(prices)s::bigint[],
                        %(taxes)s::int[])
         WITH ORDINALITY AS line (sku, name, quantity, price, tax, position)
), payment AS (
    INSERT INTO orders_payment (order_id, token, amount_minor, currency)
    SELECT id, %(payment_token)s, %(total)s, %(currency)s FROM placed WHERE %(payment_method)s = 'card'
), successor AS (
    INSERT INTO orders_successor (failed_id, order_id)
    SELECT %(retries)s, id FROM placed WHERE %(retries)s::bigint IS NOT NULL
), event AS (
    INSERT INTO orders_orderevent (order_id, kind) SELECT id, 'order.placed' FROM placed
)
SELECT gate.free, placed.id FROM gate LEFT JOIN placed ON true
"""
# Holds a failed order to one successor (orders.models.successor).
_ONE_SUCCESSOR = "orders_successor_pkey"
# The request that holds the lock handles the key; the lock ends with the transaction.
_PLACE_OR_SAY_BUSY = sql.compose(_WRITE, gate="SELECT pg_try_advisory_xact_lock(%(lock)s) AS free")
# The same, after a request with the same key that is under way has ended.
_PLACE_OR_WAIT = sql.compose(_WRITE, gate="SELECT true AS free FROM pg_advisory_xact_lock(%(lock)s)")
# The order that the key placed before.
_FIND_BY_KEY: LiteralString = """
SELECT email, fingerprint, id, token, total_minor, currency FROM orders_order WHERE idempotency_key = %(key)s
"""


def place(draft: OrderDraft, *, wait: bool) -> Placed:
    """Write the order, or return the one that the same key and fingerprint placed before.

    While another request with this key is under way, `wait` waits for it (a browser's form); otherwise
    StillBeingPlaced is raised (the API answers 409). KeyReused when the key belongs to another request, AlreadyRetried
    when the order that failed was tried again under another key.
    """
    try:
        return _place(draft, wait=wait)
    except (OperationalError, InterfaceError) as error:
        # The kept connection had died with its server. The key makes a second try harmless.
        if not died(error):
            raise
        return _place(draft, wait=wait)


def placed_under(key: str, client: str) -> Order | None:
    """The order that this client has placed under this key."""
    orders = Order.objects.filter(idempotency_key__in=[key, _own_key(client, key)])
    return next((order for order in orders if _same_client(order.email, client)), None)


def _same_client(email: str, client: str) -> bool:
    return email.casefold() == client.casefold()


def _own_key(client: str, key: str) -> str:
    """Under which a client's key is kept when another client has the same. No key of theirs begins with a comma."""
    return f",{_digest(client, key, 32).hex()}"


def _digest(client: str, key: str, size: int) -> bytes:
    return blake2b(f"{client.casefold()}\n{key}".encode(), digest_size=size).digest()


def _place(draft: OrderDraft, *, wait: bool) -> Placed:
    total = sum(line.quantity * line.unit_price_minor for line in draft.lines)
    tax = sum(tax_within(line.quantity * line.unit_price_minor, line.tax_rate_bp) for line in draft.lines)
    token = secrets.token_urlsafe(16)
    parts: tuple[OrderDraft | Address, ...] = (draft, draft.address)
    reached(Point.PLACE_BEFORE_COMMIT)
    values = {
        "lock": int.from_bytes(_digest(draft.client, draft.key, 8), signed=True),
        **{name: getattr(part, name) for part in parts for name in part.__slots__},
        "token": token,
        "payment_method": PaymentMethod(draft.payment_method).value,
        "total": total,
        "tax": tax,
        "skus": [line.sku for line in draft.lines],
        "names": [line.name for line in draft.lines],
        "quantities": [line.quantity for line in draft.lines],
        "prices": [line.unit_price_minor for line in draft.lines],
        "taxes": [line.tax_rate_bp for line in draft.lines],
    }
    try:
        [(free, order_id)] = sql.rows(_PLACE_OR_WAIT if wait else _PLACE_OR_SAY_BUSY, values)
    except IntegrityError as error:
        refusal = error.__cause__
        if not isinstance(refusal, UniqueViolation) or refusal.diag.constraint_name != _ONE_SUCCESSOR:
            raise
        raise AlreadyRetried(_RETRIED) from None  # at the same moment
    if not free:
        raise StillBeingPlaced("An order with this idempotency key is being placed right now.")
    if order_id is not None:
        reached(Point.PLACE_AFTER_COMMIT, [order_id])
        return Placed(order_id, token, total, draft.currency, created=True)
    found = sql.rows(_FIND_BY_KEY, {"key": draft.key})
    if found and draft.client and not _same_client(found[0][0], draft.client):
        # Somebody else has used it first, and it stays theirs.
        return _place(replace(draft, key=_own_key(draft.client, draft.key), client=""), wait=wait)
    if not found and draft.retries:
        raise AlreadyRetried(_RETRIED)
    if not found:
        raise DatabaseError("The order of this idempotency key vanished between two statements.")
    _, fingerprint, order_id, token, total, currency = found[0]
    placed = Placed(order_id, token, total, currency, created=False)
    if fingerprint != draft.fingerprint:
        raise KeyReused(placed)
    return placed
