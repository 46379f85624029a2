"""The body of POST /api/orders/: one schema, which checks it and which the API's description shows.

What a value may be is decided by shop.checkout.rules, as for the checkout page. All that is wrong is said at once, by
the path of each field.
"""

from typing import Annotated, Any, Self

import pydantic
from drf_spectacular.plumbing import list_hash
from pydantic import AfterValidator, Field, WithJsonSchema
from pydantic_core import PydanticCustomError

from orders.states import PaymentMethod
from shop.api import problems
from shop.checkout import rules
from shop.checkout.quoting import MAX_LINES, MAX_QUANTITY

_REQUIRED = "This field is required."
_WHOLE_NUMBER = f"This has to be a whole number from 1 to {MAX_QUANTITY:,}."
# What pydantic calls an error -> what we say. The errors of our own rules have sentences already.
_REASONS = {
    "missing": _REQUIRED,
    "string_type": "This has to be a text.",
    "string_too_short": "This is empty.",
    "string_pattern_mismatch": "This holds a control character or another one that cannot be printed.",
    "list_type": "This has to be a list of items.",
    "model_type": "This has to be a JSON object.",
    "enum": f"This has to be one of {', '.join(PaymentMethod.values)}.",
    "int_type": _WHOLE_NUMBER,
    "greater_than_equal": _WHOLE_NUMBER,
    "less_than_equal": _WHOLE_NUMBER,
}
# The id is that of the same choices in our answers, so that a client's generator makes one type of both.
_METHODS = {
    "type": "string",
    "enum": PaymentMethod.values,
    "x-spec-enum-id": list_hash(PaymentMethod.choices),
}


def _in_openapi(schema: dict[str, Any]) -> None:
    """Use the words of OpenAPI 3.0, which has no type `null`. A title would only repeat its field's name."""
    del schema["title"]
    for field in schema["properties"].values():
        field.pop("title", None)
        field.pop("default", None)
        if "anyOf" in field:
            field |= field.pop("anyOf")[0] | {"nullable": True}


def _told(description: str | None = None, default: Any = ..., **schema: Any) -> Any:
    """What clients are told of a field that one of the rules checks; None as default is checked as well."""
    return Field(default, description=description, json_schema_extra=schema, validate_default=default is None)


class Body(pydantic.BaseModel):
    """Something that is received: fields of another name or type are refused."""

    model_config = pydantic.ConfigDict(extra="forbid", strict=True, json_schema_extra=_in_openapi)


class Item(Body):
    # Checked without a step through Python, as an order has up to a thousand.
    sku: Annotated[str, WithJsonSchema({"type": "string", "maxLength": rules.MAX_SKU})] = Field(
        min_length=1, max_length=rules.MAX_SKU, pattern=rules.PRINTABLE_PATTERN
    )
    quantity: int = Field(
        ge=1,
        le=MAX_QUANTITY,
        description="Items with the same SKU are added up; together they have the same limit.",
    )


class ShippingAddress(Body):
    # The country comes first, because it decides which lines are needed.
    country: Annotated[str, AfterValidator(rules.country)] = _told(
        "ISO 3166-1 alpha-2 code in capitals, such as GB.", pattern="^[A-Z]{2}$"
    )
    name: str = _told(maxLength=rules.MAX_LENGTHS["name"])
    line1: str = _told(maxLength=rules.MAX_LENGTHS["line1"])
    line2: str | None = _told(default=None, maxLength=rules.MAX_LENGTHS["line2"])
    city: str = _told(maxLength=rules.MAX_LENGTHS["city"])
    postcode: str | None = _told(
        "Required where addresses need one; those in Hong Kong (HK), for example, have none.",
        default=None,
        maxLength=rules.MAX_LENGTHS["postcode"],
    )

    @pydantic.field_validator("name", "line1", "line2", "city", "postcode")
    @classmethod
    def _is_line(cls, value: str | None, info: pydantic.ValidationInfo) -> str:
        return rules.address_line(str(info.field_name), value, info.data.get("country", ""))


def _with_a_token_by_card_alone(schema: dict[str, Any]) -> None:
    """A pattern names the method, as an enumeration would become a type of its own."""
    _in_openapi(schema)
    schema["oneOf"] = [
        {"properties": {"method": {"pattern": f"^{PaymentMethod.CARD}$"}}, "required": ["token"]},
        {"properties": {"method": {"pattern": f"^{PaymentMethod.COD}$"}}, "not": {"required": ["token"]}},
    ]


class PaymentRequest(Body):
    model_config = pydantic.ConfigDict(json_schema_extra=_with_a_token_by_card_alone)

    method: Annotated[PaymentMethod, WithJsonSchema(_METHODS)] = Field(
        strict=False, description="`card`, or `cod`: cash on delivery."
    )
    token: Annotated[str, AfterValidator(rules.card_token)] = _told(
        "The payment provider's token for the card, never a card number. Required for `card`, refused for `cod`.",
        default="",
        maxLength=rules.MAX_TOKEN,
        pattern="^[!-~]+$",
    )

    @pydantic.model_validator(mode="after")
    def _token_fits(self) -> Self:
        by_card = self.method == PaymentMethod.CARD
        if by_card != ("token" in self.model_fields_set):
            reason = _REQUIRED if by_card else "Only a payment by card has a token."
            raise PydanticCustomError("token", "{reason}", {"reason": reason})
        return self


class OrderRequest(Body):
    email: Annotated[str, AfterValidator(rules.email)] = _told(
        "Gets the confirmation and the invoice.", format="email", maxLength=rules.MAX_EMAIL
    )
    phone: str = _told(
        "With country code, as E.164 has it: +442079460958; or as it is dialled in the country of the address. Gets an "
        "SMS.",
        maxLength=rules.MAX_PHONE,
    )
    items: list[Item] = Field(min_length=1, max_length=MAX_LINES)
    shipping_address: ShippingAddress
    payment: PaymentRequest
    retry_of: Annotated[str, AfterValidator(rules.order_token)] = _told(
        "The token of an order that ended without its goods (`payment_declined`, `out_of_stock`, `cancelled`), when "
        "this is another try of it. It takes its place, so a second try is refused (409).",
        default="",
        pattern=rules.RETRY_OF_PATTERN,
    )

    @pydantic.field_validator("phone")
    @classmethod
    def _is_phone(cls, value: str, info: pydantic.ValidationInfo) -> str:
        return rules.phone(value, info.context or "")


_PARTS: dict[str, type[Body]] = {
    "items": Item,
    "shipping_address": ShippingAddress,
    "payment": PaymentRequest,
}


def read_order(body: Any) -> OrderRequest:
    """The checked request in a parsed JSON body; raises a Problem that names every wrong field. Whether the products
    exist is the catalogue's to say."""
    if type(body) is not dict:
        raise problems.Problem(problems.MALFORMED, "The body has to be a JSON object.")
    try:
        return OrderRequest.model_validate(body, context=_country_of(body))
    except pydantic.ValidationError as refused:
        errors: dict[str, list[str]] = {}
        for error in refused.errors(include_url=False):
            path = (*error["loc"], "token") if error["type"] == "token" else error["loc"]
            errors.setdefault(".".join(map(str, path)), []).append(_reason(error))
        raise problems.invalid(errors) from None


def _country_of(body: dict[str, Any]) -> str:
    """The country of the address, which says how a number without a country code is dialled; "" if none is said. Read
    beforehand, because a phone number is not wrong only because something in the address is."""
    address = body.get("shipping_address")
    country = address.get("country") if isinstance(address, dict) else None
    return country if isinstance(country, str) else ""


def _reason(error: Any) -> str:
    value = error["input"]
    match error["type"]:
        case "value_error":
            return str(error["ctx"]["error"])
        case "extra_forbidden":
            part = _PARTS[error["loc"][0]] if len(error["loc"]) > 1 else OrderRequest
            return f"There is no such field; the fields here are {', '.join(part.model_fields)}."
        case "too_long" | "too_short":
            return f"An order takes 1 to {MAX_LINES:,} items; these are {len(value):,}."
        case "string_too_long":
            return f"This has {len(value)} characters; up to {rules.MAX_SKU} are possible."
        case kind:
            return _REQUIRED if value is None else _REASONS.get(kind, error["msg"])
