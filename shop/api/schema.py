"""What the schema says beyond the serializers: words, headers, examples, and which problems can come back."""

from typing import Any

from drf_spectacular.utils import OpenApiExample, OpenApiParameter, OpenApiResponse
from rest_framework.serializers import Serializer

from shop.api.problems import CONTENT_TYPE
from shop.api.serializers import ProblemSerializer

PLACING = """
One request, one order: it is safe to send the same request again, with the same `Idempotency-Key`, as often
as it takes to get an answer. Names, prices and tax come from the catalogue at this moment.

The answer means that the order is kept and will be worked on, not that it is paid or in stock: follow it with
`GET /api/orders/{token}/`, or with the server-sent events of `GET /live/orders/{token}`, which say `changed`
whenever there is something new to fetch and `ended` when nothing more will come.
"""
FOLLOWING = """
Everything about the order but who ordered it. Rather than asking often, listen to `GET /live/orders/{token}`
(server-sent events) and ask when it says `changed`.
"""
IDEMPOTENCY_KEY = OpenApiParameter(
    "Idempotency-Key",
    str,
    OpenApiParameter.HEADER,
    required=True,
    description="A key that you draw for this order, such as a UUID: 1 to 255 visible ASCII characters. The "
    "same key with the same body gets the first answer again, with the header `Idempotent-Replayed: true`; "
    "with another body it is refused (422). While the first request is still being handled the answer is "
    "409 with `Retry-After`.",
    pattern=r"^[!-~]([ -~]*[!-~])?$",
    examples=[OpenApiExample("A UUID", "1f0c5a4e-6f0e-4a52-9d5c-0f6f3a1d7c11")],
)
TOKEN = OpenApiParameter(
    "token", str, OpenApiParameter.PATH, description="The token that placing the order answered with."
)
REPEATED = OpenApiParameter(
    "Idempotent-Replayed",
    str,
    OpenApiParameter.HEADER,
    response=[201],
    description="`true` on the answer to a repeat.",
    enum=["true"],
)
LOCATION = OpenApiParameter(
    "Location",
    str,
    OpenApiParameter.HEADER,
    response=[201],
    required=True,
    description="Where to follow the order.",
)
RETRY_AFTER = OpenApiParameter(
    "Retry-After", int, OpenApiParameter.HEADER, response=[409, 503], description="Seconds to wait."
)

_BODY: dict[str, Any] = {
    "email": "ada@example.com",
    "phone": "+442079460958",
    "items": [{"sku": "MUG-01", "quantity": 2}],
    "shipping_address": {
        "name": "Ada Lovelace",
        "line1": "12 St James's Square",
        "line2": "",
        "city": "London",
        "postcode": "SW1Y 4JH",
        "country": "GB",
    },
    "payment": {"method": "card", "token": "pm_card_visa"},
}
_EXAMPLE = "kT3vXo8mQ1yWcZ5rN0aLpw"
_PLACED: dict[str, Any] = {
    "number": "S-100017",
    "token": _EXAMPLE,
    "status": "placed",
    "total": 2400,
    "currency": "GBP",
    "url": f"https://shop.example/orders/{_EXAMPLE}/",
}
ORDER_EXAMPLES = [
    OpenApiExample("Two mugs, paid by card", _BODY, request_only=True),
    OpenApiExample("Cash on delivery", {**_BODY, "payment": {"method": "cod"}}, request_only=True),
]
PLACED_EXAMPLE = OpenApiExample("Placed", _PLACED, response_only=True)
ORDER_EXAMPLE = OpenApiExample(
    "Completed",
    {
        **_PLACED,
        "status": "completed",
        "tax": 400,
        "placed_at": "2026-11-27T08:00:00.120000Z",
        "ended_at": "2026-11-27T08:00:00.390000Z",
        "cancellable": False,
        "lines": [
            {
                "sku": "MUG-01",
                "name": "Mug",
                "quantity": 2,
                "unit_price": 1200,
                "total": 2400,
                "tax": 400,
                "tax_rate_bp": 2000,
            }
        ],
        "payment": {
            "method": "card",
            "status": "captured",
            "captured": 2400,
            "refunded": 0,
            "action_url": None,
            "reason": None,
        },
        "shipment": {
            "status": "booked",
            "carrier": "Parcel Post",
            "tracking_number": "PP000017GB",
            "tracking_url": "https://carrier.example/PP000017GB",
            "booked_at": "2026-11-27T08:00:00.350000Z",
        },
        "documents": [
            {
                "kind": "invoice",
                "number": "INV-0000017",
                "issued_at": "2026-11-27T08:00:00.340000Z",
                "url": f"https://shop.example/orders/{_EXAMPLE}/invoice.pdf",
            }
        ],
        "timeline": [
            {
                "kind": "order.placed",
                "label": "Order placed",
                "at": "2026-11-27T08:00:00.120000Z",
                "detail": "",
            },
            {
                "kind": "order.completed",
                "label": "Order completed",
                "at": "2026-11-27T08:00:00.390000Z",
                "detail": "",
            },
        ],
    },
    response_only=True,
)

_PROBLEMS = {
    400: "A value is wrong, or the body is not JSON; `errors` names each field and why.",
    401: "Nobody said who asks; see the header `WWW-Authenticate`.",
    403: "Whoever asks may not do this.",
    404: "There is no such thing.",
    406: "The header `Accept` does not allow JSON.",
    409: "Not now: see `type` and `detail`.",
    410: "It was there and is gone.",
    412: "The header `Tus-Resumable` is not that of a version that is spoken here.",
    413: "What is sent or announced is too large; `detail` says what is taken.",
    415: "What is sent is of a type that is not taken here; see `detail`.",
    423: "Another request is at it.",
    460: "The piece does not have the checksum that came with it.",
    507: "There is no room for it.",
    422: "The `Idempotency-Key` belongs to a request with another body.",
    500: "Something broke on our side.",
    503: "The shop cannot answer at the moment; send the same request again after `Retry-After` seconds.",
}
_INVALID = OpenApiExample(
    "Wrong values",
    {
        "type": "https://shop.example/api/problems/invalid-request/",
        "title": "The request is not valid",
        "status": 400,
        "detail": "2 values are not as they should be.",
        "instance": "/api/orders/",
        "errors": {
            "items.0.quantity": ["This has to be a whole number from 1 to 10,000."],
            "shipping_address.city": ["This field is required."],
        },
    },
    response_only=True,
)


def response(
    serializer: type[Serializer[Any]], description: str, *examples: OpenApiExample
) -> OpenApiResponse:
    return OpenApiResponse(serializer, description, examples=list(examples))


def problems(*statuses: int) -> dict[tuple[int, str], OpenApiResponse]:
    """The problem responses of an operation, for `extend_schema`."""
    return {
        (status, CONTENT_TYPE): response(
            ProblemSerializer, _PROBLEMS[status], *([_INVALID] if status == 400 else [])
        )
        for status in statuses
    }
