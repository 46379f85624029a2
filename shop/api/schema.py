"""What the schema says beyond the serializers: words, headers, examples, and which problems can come back."""

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any, TypeVar

import orjson
from drf_spectacular.utils import OpenApiExample, OpenApiParameter, OpenApiResponse, extend_schema
from rest_framework.serializers import Serializer

from shop.api.problems import CONTENT_TYPE
from shop.api.serializers import ProblemSerializer

View = TypeVar("View", bound=Callable[..., Any])

# Visible ASCII with blanks within, but no comma: a server joins headers that come twice with one.
KEY_PATTERN = r"^[!-+\--~]([ -+\--~]*[!-+\--~])?$"
IDEMPOTENCY_KEY = OpenApiParameter(
    "Idempotency-Key",
    str,
    OpenApiParameter.HEADER,
    required=True,
    description="A key that you draw for this order, such as a UUID: 1 to 255 visible ASCII characters, no comma. The "
    "same key with the same body gets the first answer again, with the header `Idempotent-Replayed: true`; "
    "with another body it is refused (422). What counts is what the body asks for, not how it is written. While the "
    "first request is still being handled the answer is 409 with `Retry-After`. A key belongs to the customer, by the "
    "`email` in the body: the same key of another customer places another order.",
    pattern=KEY_PATTERN,
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

_ETAG = [
    OpenApiParameter(
        "If-None-Match",
        str,
        OpenApiParameter.HEADER,
        description="The `ETag` of what you have already: when nothing has changed the answer is 304, without a body.",
    ),
    OpenApiParameter(
        "ETag",
        str,
        OpenApiParameter.HEADER,
        response=[200],
        description="Names this state of what is answered.",
    ),
]

_EXAMPLES = orjson.loads(Path(__file__).with_name("examples.json").read_bytes())
ORDER_EXAMPLES = [
    OpenApiExample("Two pairs of mugs, paid by card", _EXAMPLES["order_request"], request_only=True),
    OpenApiExample(
        "Cash on delivery", _EXAMPLES["order_request"] | {"payment": {"method": "cod"}}, request_only=True
    ),
]
PLACED_EXAMPLE = OpenApiExample("Placed", _EXAMPLES["placed"], response_only=True)
ORDER_EXAMPLE = OpenApiExample("Completed", _EXAMPLES["order"], response_only=True)
_INVALID = OpenApiExample("Wrong values", _EXAMPLES["problem"], response_only=True)

_PROBLEMS = {
    400: "A value is wrong, a parameter is not known, or the body is not JSON; `errors` names each and why.",
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
    429: "Too much of it for now: see `detail`, and come back after `Retry-After` seconds.",
    500: "Something broke on our side.",
    503: "The shop cannot answer at the moment; send the same request again after `Retry-After` seconds.",
}
# What every operation may answer; the last two are for those of staff.
_ANYWHERE, _TO_STAFF = (400, 406, 500, 503), (401, 403)


def response(
    serializer: type[Serializer[Any]] | None, description: str, *examples: OpenApiExample
) -> OpenApiResponse:
    return OpenApiResponse(serializer, description, examples=list(examples))


def operation(
    tag: str,
    name: str,
    summary: str,
    answer: OpenApiResponse,
    *,
    status: int = 200,
    problems: Iterable[int] = (),
    conditional: bool = False,
    parameters: Sequence[OpenApiParameter] = (),
    **more: Any,
) -> Callable[[View], View]:
    """Describes what a view's method does: what it answers when all is well, and which problems besides those of every
    operation; `conditional`: whoever has the answer already is told so. Without `description` the method's docstring is
    what clients read."""
    found = sorted({*_ANYWHERE, *problems, *(_TO_STAFF if tag == "videos" else ())})
    responses = {
        (code, CONTENT_TYPE): response(
            ProblemSerializer, _PROBLEMS[code], *([_INVALID] if code == 400 else [])
        )
        for code in found
    }
    unchanged = {304: response(None, "It is as you have it.")} if conditional else {}
    described: Callable[[View], View] = extend_schema(
        operation_id=name,
        summary=summary,
        tags=[tag],
        parameters=[*parameters, *(_ETAG if conditional else ())],
        responses={status: answer, **unchanged, **responses},
        **more,
    )
    return described


def for_guests(result: dict[str, Any], **_: Any) -> dict[str, Any]:
    """Say of operations that want no login what OpenAPI says of them: `security: []`, in place of a list with an empty
    requirement in it, which generators of clients take for one more way to sign in."""
    for operations in result["paths"].values():
        for described in operations.values():
            if described.get("security") == [{}]:
                described["security"] = []
    return result
