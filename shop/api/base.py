"""What every view of the API has in common: JSON in and out, problems for errors, a second try on a dead connection.

REST framework does the work. What it does for more media types and for logins is left out, because every order of a
rush passes here.
"""

from collections.abc import Collection, Mapping
from json import loads as read_json
from typing import Any, ClassVar

import orjson
from django.core.exceptions import RequestDataTooBig
from django.db import InterfaceError, OperationalError
from django.http import HttpRequest, HttpResponse
from django.http.request import MediaType
from django.http.response import HttpResponseBase
from django.utils.cache import get_conditional_response, set_response_etag
from rest_framework.exceptions import NotAcceptable, UnsupportedMediaType
from rest_framework.parsers import JSONParser
from rest_framework.request import Request
from rest_framework.views import APIView

from orders.database import died
from shop.api import problems
from shop.api.problems import MALFORMED, Problem, invalid

# 1,000 lines with the longest SKUs and an address take some 90 KB.
MAX_BODY = 256 * 1024  # bytes
MAX_NAME = 40  # characters of a field's name that are said back
# Headers of what is somebody's own, such as an order with its parcel and payment: no cache between us may keep it.
PRIVATE = {"Cache-Control": "no-store"}
_JSON = ("application/json", "application/*", "*/*")


class ApiView(APIView):
    parser_classes = [JSONParser]  # for the schema; `body` reads it
    parameters: ClassVar[Collection[str]] = ()
    """The names that may stand in the address, after "?"."""

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        """As REST framework does it, and once more when a database connection kept from an earlier request is dead.

        Every request may be run twice: an order has its key, and cancelling what is cancelled changes nothing.
        """
        self.args, self.kwargs = args, kwargs
        self.request = wrapped = self.initialize_request(request, *args, **kwargs)
        self.headers = self.default_response_headers
        answer: HttpResponseBase
        try:
            self.initial(wrapped, *args, **kwargs)
            name = (request.method or "").lower()
            known = name in self.http_method_names
            handler = getattr(self, name, None) if known else None
            handler = handler or self.http_method_not_allowed
            if handler != self.http_method_not_allowed and request.GET:
                self._check_parameters(request)
            try:
                answer = handler(wrapped, *args, **kwargs)
            except (OperationalError, InterfaceError) as error:
                if not died(error):
                    raise
                answer = handler(wrapped, *args, **kwargs)
        except Exception as error:
            answer = self.handle_exception(error)
        if request.method in ("GET", "HEAD") and answer.status_code == 200:
            answer = _unless_known(request, answer)
        return self.finalize_response(wrapped, answer, *args, **kwargs)  # type: ignore[arg-type]  # a plain one will do

    def initial(self, request: Request, *_args: Any, **_kwargs: Any) -> None:
        """Nobody logs in and nothing is throttled here, so only the header Accept is looked at."""
        accept = request.META.get("HTTP_ACCEPT", "*/*")
        if accept not in ("*/*", "application/json") and not _takes_json(accept):
            raise NotAcceptable

    def _check_parameters(self, request: HttpRequest) -> None:
        """Refuse what would be left out in silence: who asks for `page_size` wants no page of another size."""
        here = f"those here are {', '.join(self.parameters)}" if self.parameters else "none can be given here"
        errors = {
            name: [f"There is no such parameter; {here}."]
            if name not in self.parameters
            else ["It is given more than once."]
            for name, values in request.GET.lists()
            if name not in self.parameters or len(values) > 1
        }
        if errors:
            raise problems.invalid(errors)

    def options(self, *_args: Any, **_kwargs: Any) -> Any:
        """The header Allow says it all; REST framework's description of the serializers is in the schema."""
        return HttpResponse(status=204)


def _takes_json(accept: str) -> bool:
    """As RFC 9110 has it: of the ranges that fit, the closest one counts, and q=0 forbids. Parameters such as a charset
    do not make another type of it, and an empty header asks for nothing."""
    ranges = [MediaType(one) for one in accept.split(",") if one.strip()]
    fitting = [one for one in ranges if f"{one.main_type}/{one.sub_type}" in _JSON]
    return not ranges or (bool(fitting) and max(fitting, key=lambda one: one.specificity).quality > 0)


def _unless_known(request: HttpRequest, answer: Any) -> HttpResponseBase:
    """The answer with its ETag, or 304 without a body for who has it already."""
    etag = set_response_etag(answer).get("ETag")
    if etag is None:
        return answer  # type: ignore[no-any-return]
    found = get_conditional_response(request, etag=etag, response=answer)
    if found is None or found.status_code == 412:
        return problems.response(request, 412, "What is here is not what If-Match names.")
    return found


def body(request: Request) -> Any:
    """The request's body, parsed."""
    plain = request._request
    if compressed := problems.compressed(plain.META):
        raise compressed
    if plain.content_type != "application/json":
        raise UnsupportedMediaType(plain.content_type or "")
    if int(plain.META.get("CONTENT_LENGTH") or 0) > MAX_BODY:
        raise RequestDataTooBig(f"The body is larger than {MAX_BODY:,} bytes, the most that is read.")
    try:
        found = orjson.loads(plain.body)
    except orjson.JSONDecodeError as error:
        raise Problem(MALFORMED, f"The body is not JSON: {error}.") from None
    _check_names(plain.body)
    return found


def _check_names(body: bytes) -> None:
    """Refuse an object that names a field twice: parsers take the last one, and only the client knows which is meant.
    Numbers are left as they are written, since only the names are looked at."""
    try:
        read_json(body, object_pairs_hook=_once_each, parse_int=str, parse_float=str)
    except RecursionError:
        raise Problem(MALFORMED, "The body is nested too deeply to be read.") from None


def _once_each(fields: list[tuple[str, Any]]) -> None:
    seen: set[str] = set()
    for name, _ in fields:
        if name in seen:
            raise invalid({name[:MAX_NAME]: ["This field is named twice in one object; send it once."]})
        seen.add(name)


def json(data: Any, status: int = 200, headers: Mapping[str, str] | None = None) -> HttpResponse:
    return HttpResponse(orjson.dumps(data), content_type="application/json", status=status, headers=headers)
