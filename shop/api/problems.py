"""Errors as `application/problem+json` (RFC 9457): what went wrong, with what, and what to do next.

`answer` is REST framework's exception handler: whatever a view raises becomes a problem here, a bug included,
so that a client never has to read an HTML page. A problem that a program should tell from others of the same
status has a `Kind`; its `type` is the address of a page that explains it. The others have the type
"about:blank", as the RFC asks.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any, TypeAlias

import orjson
from django.conf import settings
from django.core.exceptions import PermissionDenied, RequestDataTooBig, SuspiciousOperation
from django.db import InterfaceError, OperationalError
from django.http import Http404, HttpRequest, HttpResponse
from django.utils.log import log_response
from rest_framework import exceptions

CONTENT_TYPE = "application/problem+json"
RETRY_SECONDS = 2
BROKEN = "Something broke on our side, and we have been told. Try again later."

# Path of a field ("items.0.sku") or name of a header or parameter -> what is wrong with it, a sentence each.
Errors: TypeAlias = Mapping[str, Sequence[str]]


@dataclass(frozen=True)
class Kind:
    """A sort of problem with a name of its own; `remedy` says what a client can do about it."""

    slug: str
    status: int  # an HTTPStatus; but for 460, which is of the protocol tus alone
    title: str
    remedy: str

    @property
    def url(self) -> str:
        return f"{settings.SHOP_URL}/api/problems/{self.slug}/"


INVALID = Kind(
    "invalid-request",
    HTTPStatus.BAD_REQUEST,
    "The request is not valid",
    "Nothing was done. `errors` names each field, parameter or header that is wrong, and why. Correct them "
    "and send the request again; the same Idempotency-Key may be used.",
)
MALFORMED = Kind(
    "malformed-json",
    HTTPStatus.BAD_REQUEST,
    "The body is not JSON",
    "Nothing was done. The body has to be one JSON object in UTF-8; `detail` says where reading it failed.",
)
KEY_REUSED = Kind(
    "idempotency-key-reused",
    HTTPStatus.UNPROCESSABLE_ENTITY,
    "The Idempotency-Key belongs to another request",
    "Nothing was done. An order was placed with this key from a different body. Draw a new key for each "
    "order, and send a repeat with exactly the body of the first try.",
)
IN_PROGRESS = Kind(
    "request-in-progress",
    HTTPStatus.CONFLICT,
    "The first request with this Idempotency-Key is still being handled",
    "Wait as many seconds as Retry-After says and send the same request again: it gets the answer of the "
    "first.",
)
ALREADY_RETRIED = Kind(
    "order-already-retried",
    HTTPStatus.CONFLICT,
    "The order was tried again already",
    "Nothing was done, so nobody pays twice. `detail` names the order that took the place of the one in `retry_of`: "
    "follow that one. If it failed too, send its token as `retry_of`.",
)
TOO_MANY_UNPAID = Kind(
    "too-many-unpaid",
    HTTPStatus.TOO_MANY_REQUESTS,
    "Too many orders are to be paid at the door",
    "Nothing was done. `detail` says what they have in common. Pay by card, or wait as many seconds as Retry-After "
    "says; the same Idempotency-Key may be used.",
)
NOT_CANCELLABLE = Kind(
    "order-not-cancellable",
    HTTPStatus.CONFLICT,
    "The order cannot be cancelled any more",
    "The order goes on as it was. `detail` says why, in words for the buyer.",
)
UNAVAILABLE = Kind(
    "temporarily-unavailable",
    HTTPStatus.SERVICE_UNAVAILABLE,
    "The shop cannot answer at the moment",
    "It is not known whether the request was carried out. Wait as many seconds as Retry-After says and send "
    "it again, an order with the same Idempotency-Key: it is placed once, however often it is sent.",
)
BAD_SIGNATURE = Kind(
    "bad-signature",
    HTTPStatus.BAD_REQUEST,
    "The signature does not fit",
    "Nothing was done. Sign the timestamp and the exact bytes of the body with the webhook secret, and send "
    "both at once; a signature is good for five minutes.",
)
COMPRESSED = Kind(
    "compressed-body",
    HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
    "The body is compressed",
    "Nothing was done. Send the body as it is, without the header Content-Encoding.",
)
_ALL = (
    *(INVALID, MALFORMED, COMPRESSED, KEY_REUSED, IN_PROGRESS),
    *(ALREADY_RETRIED, TOO_MANY_UNPAID, NOT_CANCELLABLE, UNAVAILABLE, BAD_SIGNATURE),
)
KINDS = {kind.slug: kind for kind in _ALL}


class Problem(Exception):
    """Raised by a view to answer with a problem."""

    def __init__(
        self, kind: Kind, detail: str, errors: Errors | None = None, headers: Mapping[str, str] | None = None
    ) -> None:
        super().__init__(detail)
        self.kind, self.detail, self.errors, self.headers = kind, detail, errors, headers


def invalid(errors: Errors) -> Problem:
    """The problem of a request in which these fields, parameters or headers are wrong."""
    count = len(errors)
    which = "One value is" if count == 1 else f"{count} values are"
    return Problem(INVALID, f"{which} not as {'it' if count == 1 else 'they'} should be.", errors)


def compressed(meta: Mapping[str, Any]) -> Problem | None:
    """The problem of a request whose body would have to be unpacked first; small ones unpack to gigabytes."""
    encoding = meta.get("HTTP_CONTENT_ENCODING", "").strip()
    if encoding.lower() in ("", "identity"):
        return None
    detail = f"The body is encoded as {encoding[:40]!r}; it is only read as it is."
    return Problem(COMPRESSED, detail, headers={"Accept-Encoding": "identity"})


def response(
    request: HttpRequest,
    status: int,
    detail: str,
    *,
    kind: Kind | None = None,
    errors: Errors | None = None,
    headers: Mapping[str, str] | None = None,
) -> HttpResponse:
    """A problem as an HTTP response, for `request`."""
    body: dict[str, Any] = {
        "type": kind.url if kind else "about:blank",
        "title": kind.title if kind else HTTPStatus(status).phrase,
        "status": int(status),
        "detail": detail,
        "instance": request.path,
    }
    if errors:
        body["errors"] = errors
    return HttpResponse(orjson.dumps(body), content_type=CONTENT_TYPE, status=status, headers=headers)


def of(request: HttpRequest, problem: Problem) -> HttpResponse:
    kind, detail = problem.kind, problem.detail
    return response(request, kind.status, detail, kind=kind, errors=problem.errors, headers=problem.headers)


def answer(error: Exception, context: Mapping[str, Any]) -> HttpResponse:
    """What REST framework calls with everything that a view raised."""
    request: HttpRequest = context["request"]._request
    match error:
        case Problem():
            return of(request, error)
        case OperationalError() | InterfaceError():
            return unavailable(request, error)
        case exceptions.MethodNotAllowed():
            detail = f"{request.path} does not take {request.method}; see the header Allow."
            return response(request, 405, detail)
        case exceptions.NotAcceptable():
            detail = "The answer is application/json; the header Accept does not allow it."
            return response(request, 406, detail)
        case exceptions.UnsupportedMediaType():
            detail = "Send the body as JSON, with the header Content-Type: application/json."
            return response(request, 415, detail, headers={"Accept": "application/json"})
        case exceptions.APIException():
            challenge = getattr(error, "auth_header", "")  # set where nobody, or nobody we know, asks
            headers = {"WWW-Authenticate": challenge} if challenge else None
            return response(request, error.status_code, str(error.detail), headers=headers)
        case Http404():
            return response(request, 404, str(error) or f"There is nothing at {request.path}.")
        case PermissionDenied():
            return response(request, 403, str(error) or "This is not allowed.")
        case RequestDataTooBig():
            return response(request, 413, str(error))
        case SuspiciousOperation():
            return response(request, 400, "The request was refused.")
    return broken(request, error)


def unavailable(request: HttpRequest, error: BaseException) -> HttpResponse:
    """The database did not answer: nothing is wrong with the request, so it may come again."""
    problem = Problem(
        UNAVAILABLE,
        "The shop's database does not answer. Send the request again in a moment.",
        headers={"Retry-After": str(RETRY_SECONDS)},
    )
    answer = of(request, problem)
    log_outage(request, answer, error)
    return answer


def log_outage(request: HttpRequest, answer: HttpResponse, error: BaseException) -> None:
    """A line for the log, in the place of the one that Django writes for every answer above 500: a crowd sends many."""
    log_response(
        "%s %s was answered 503, the database does not answer: %s",
        request.method,
        request.path,
        str(error).partition("\n")[0],
        response=answer,
        request=request,
        level="warning",
    )


def broken(request: HttpRequest, error: BaseException) -> HttpResponse:
    """A bug of ours: the log gets the traceback; the client learns that it is not to blame, and nothing else."""
    answer = response(request, 500, BROKEN)
    what = "%s %s failed", request.method, request.path
    log_response(*what, response=answer, request=request, exception=error)
    return answer
