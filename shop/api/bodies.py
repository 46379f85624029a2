"""Reads the body of POST /api/orders/: every value checked, every problem named by its field, all of them at
once.

Written by hand, because this is the hot path of a rush: for three items it takes 13 µs, the same rules as a
REST framework serializer 260 µs. What a client is told of these rules comes from shop.api.serializers; a test
sends bodies made from that schema through here, so that the two cannot part.
"""

from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import Any

from orders.placing import Address
from orders.states import PaymentMethod
from shop.api import problems
from shop.checkout import rules
from shop.checkout.quoting import MAX_LINES, MAX_QUANTITY

_ROOT = ("email", "phone", "items", "shipping_address", "payment")
_ITEM = ("sku", "quantity")
_ADDRESS = ("name", "line1", "line2", "city", "postcode", "country")
_REQUIRED = "This field is required."


@dataclass(frozen=True, slots=True)
class OrderRequest:
    """What a client asks for, each value checked by itself; whether the products exist is the catalogue's to
    say."""

    email: str
    phone: str
    items: list[tuple[str, int]]  # SKU and quantity
    address: Address
    payment_method: str
    payment_token: str


class _Reader:
    """Takes values out of JSON objects and collects what is wrong with them by field path."""

    def __init__(self) -> None:
        self.errors: dict[str, list[str]] = {}

    def refuse(self, path: str, reason: str) -> None:
        self.errors.setdefault(path, []).append(reason)

    def object(self, value: Any, path: str, known: Collection[str]) -> dict[str, Any]:
        """`value` if it is an object, else an empty one; fields that are not `known` are refused."""
        if type(value) is not dict:
            self.refuse(path, _REQUIRED if value is None else "This has to be a JSON object.")
            return {}
        prefix = f"{path}." if path else ""
        for name in value:
            if name not in known:
                self.refuse(
                    f"{prefix}{name}", f"There is no such field; the fields here are {', '.join(known)}."
                )
        return value

    def text(self, source: dict[str, Any], name: str, path: str, check: Callable[[str], str]) -> str:
        value = source.get(name)
        if type(value) is not str:
            self.refuse(path, _REQUIRED if value is None else "This has to be a text.")
            return ""
        try:
            return check(value)
        except ValueError as reason:
            self.refuse(path, str(reason))
            return ""


def read_order(body: Any) -> OrderRequest:
    """The checked request in a parsed JSON body; raises a Problem that names every wrong field."""
    if type(body) is not dict:
        raise problems.Problem(problems.MALFORMED, "The body has to be a JSON object.")
    reader = _Reader()
    reader.object(body, "", _ROOT)
    email = reader.text(body, "email", "email", rules.email)
    phone = reader.text(body, "phone", "phone", rules.phone)
    items = _items(reader, body.get("items"))
    address = _address(reader, body.get("shipping_address"))
    method, token = _payment(reader, body.get("payment"))
    if reader.errors:
        raise problems.invalid(reader.errors)
    return OrderRequest(email, phone, items, address, method, token)


def _items(reader: _Reader, value: Any) -> list[tuple[str, int]]:
    if type(value) is not list:
        reader.refuse("items", _REQUIRED if value is None else "This has to be a list of items.")
        return []
    if not 1 <= len(value) <= MAX_LINES:
        reader.refuse("items", f"An order takes 1 to {MAX_LINES:,} items; these are {len(value):,}.")
        return []
    items = []
    for index, item in enumerate(value):
        # The common case in one expression; what fails it is looked at field by field.
        if (
            type(item) is dict
            and len(item) == 2
            and type(sku := item.get("sku")) is str
            and type(quantity := item.get("quantity")) is int
            and 0 < len(sku) <= rules.MAX_SKU
            and sku.isprintable()
            and 1 <= quantity <= MAX_QUANTITY
        ):
            items.append((sku, quantity))
        else:
            _explain_item(reader, item, f"items.{index}")
    return items


def _explain_item(reader: _Reader, value: Any, path: str) -> None:
    item = reader.object(value, path, _ITEM)
    if not item and path in reader.errors:
        return
    reader.text(item, "sku", f"{path}.sku", lambda sku: rules.text(sku, rules.MAX_SKU))
    sku, quantity = item.get("sku"), item.get("quantity")
    if type(sku) is str and f"{path}.sku" not in reader.errors and not sku.isprintable():
        reader.refuse(f"{path}.sku", "This holds characters that cannot be printed.")
    if quantity is None:
        reader.refuse(f"{path}.quantity", _REQUIRED)
    elif type(quantity) is not int or not 1 <= quantity <= MAX_QUANTITY:
        reader.refuse(f"{path}.quantity", f"This has to be a whole number from 1 to {MAX_QUANTITY:,}.")


def _address(reader: _Reader, value: Any) -> Address:
    source = reader.object(value, "shipping_address", _ADDRESS)
    if not source and "shipping_address" in reader.errors:
        return Address("", "", "", "", "", "")

    def line(name: str, *, blank: bool = False) -> str:
        if blank and source.get(name) is None:
            return ""
        longest = rules.MAX_LENGTHS[name]
        return reader.text(
            source, name, f"shipping_address.{name}", lambda value: rules.text(value, longest, blank=blank)
        )

    return Address(
        name=line("name"),
        line1=line("line1"),
        line2=line("line2", blank=True),
        city=line("city"),
        postcode=line("postcode"),
        country=reader.text(source, "country", "shipping_address.country", rules.country),
    )


def _payment(reader: _Reader, value: Any) -> tuple[str, str]:
    """Method and token; the token is empty for cash on delivery."""
    source = reader.object(value, "payment", ("method", "token"))
    if not source and "payment" in reader.errors:
        return "", ""
    method = reader.text(source, "method", "payment.method", _method)
    if method == PaymentMethod.CARD:
        return method, reader.text(source, "token", "payment.token", rules.card_token)
    if method and "token" in source:
        reader.refuse("payment.token", "Only a payment by card has a token.")
    return method, ""


def _method(value: str) -> str:
    if value not in PaymentMethod.values:
        raise ValueError(f"This has to be one of {', '.join(PaymentMethod.values)}.")
    return value
