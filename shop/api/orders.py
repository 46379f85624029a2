"""Orders over the API: placing one, following it, cancelling it."""

import math
import re

from django.db import DatabaseError
from django.http import Http404, HttpResponse
from django.utils import timezone
from rest_framework.request import Request

from orders import cancelling, unpaid
from orders.models import Order
from orders.models.successor import successor_of
from orders.placing import (
    Address,
    AlreadyRetried,
    KeyReused,
    OrderDraft,
    Placed,
    StillBeingPlaced,
    placed_under,
)
from orders.states import FAILED_STATES, OrderStatus
from shop.api import problems, schema
from shop.api.base import PRIVATE, ApiView, body, json
from shop.api.bodies import OrderRequest, read_order
from shop.api.serializers import OrderSerializer, PlacedSerializer
from shop.checkout.quoting import QuoteError, check_payment, fingerprint, quote

KEY_HEADER = "Idempotency-Key"
MAX_KEY = 255
_KEY = re.compile(schema.KEY_PATTERN)


class OrdersView(ApiView):
    @schema.operation(
        "orders",
        "place_order",
        "Place an order",
        schema.response(PlacedSerializer, "The order is placed.", schema.PLACED_EXAMPLE),
        status=201,
        problems=[409, 413, 415, 422, 429],
        parameters=[schema.IDEMPOTENCY_KEY, schema.LOCATION, schema.REPEATED, schema.RETRY_AFTER],
        request=OrderRequest,
        examples=schema.ORDER_EXAMPLES,
    )
    def post(self, request: Request) -> HttpResponse:
        """
        One request, one order: it is safe to send the same request again, with the same `Idempotency-Key`, as often as
        it takes to get an answer. Names, prices and tax come from the catalogue at this moment.

        The answer means that the order is kept and will be worked on, not that it is paid or in stock: follow it with
        `GET /api/orders/{token}/`, or with the server-sent events of `GET /live/orders/{token}`, which say `changed`
        whenever there is something new to fetch and `ended` when nothing more will come.
        """
        key = _idempotency_key(request)
        wanted = read_order(body(request))
        sign = _fingerprint(wanted)
        try:
            priced = quote([(item.sku, item.quantity) for item in wanted.items])
            check_payment(priced, wanted.payment.method)
        except QuoteError as error:
            # The catalogue may have changed since the first try; the answer to a repeat stays what it was.
            if (before := placed_under(key, wanted.email)) is None:
                raise problems.invalid(_item_errors(error)) from None
            if before.fingerprint != sign:
                raise _reused() from None
            return _answer(before, again=True)
        failed = _to_retry(wanted.retry_of) if wanted.retry_of else None
        draft = OrderDraft(
            key=key,
            client=wanted.email,
            fingerprint=sign,
            email=wanted.email,
            phone=wanted.phone,
            address=Address(**dict(wanted.shipping_address)),
            currency=priced.currency,
            lines=priced.lines,
            payment_method=wanted.payment.method.value,
            payment_token=wanted.payment.token,
            retries=failed.pk if failed else None,
        )
        try:
            placed = unpaid.place(draft, wait=False)
            return _answer(placed, again=not placed.created)
        except unpaid.TooManyUnpaid as reason:
            seconds = math.ceil((reason.at - timezone.now()).total_seconds())
            raise problems.Problem(
                problems.TOO_MANY_UNPAID, str(reason), headers={"Retry-After": str(max(seconds, 1))}
            ) from None
        except KeyReused:
            raise _reused() from None
        except AlreadyRetried:
            raise _already_retried(failed) from None
        except StillBeingPlaced:
            raise problems.Problem(
                problems.IN_PROGRESS,
                "Another request with this Idempotency-Key is being handled at this moment.",
                headers={"Retry-After": "1"},
            ) from None


class OrderView(ApiView):
    @schema.operation(
        "orders",
        "retrieve_order",
        "Follow an order",
        schema.response(OrderSerializer, "The order as it is now.", schema.ORDER_EXAMPLE),
        problems=[404],
        conditional=True,
        parameters=[schema.TOKEN],
    )
    def get(self, _request: Request, token: str) -> HttpResponse:
        """
        Everything about the order but who ordered it. Rather than asking often, listen to `GET /live/orders/{token}`
        (server-sent events) and ask when it says `changed`.
        """
        return json(OrderSerializer(_find(token)).data, headers=PRIVATE)


class CancelView(ApiView):
    @schema.operation(
        "orders",
        "cancel_order",
        "Cancel an order",
        schema.response(OrderSerializer, "The order is cancelled."),
        problems=[404, 409],
        parameters=[schema.TOKEN],
        request=None,
    )
    def post(self, _request: Request, token: str) -> HttpResponse:
        """
        Possible until the parcel is begun. Stock is released, money goes back, and the customer is told. Cancelling a
        cancelled order changes nothing and is no error. A body is not needed and not read.
        """
        try:
            cancelling.cancel(token)
        except Order.DoesNotExist:
            raise _unknown() from None
        except cancelling.NotCancellable as reason:
            raise problems.Problem(problems.NOT_CANCELLABLE, str(reason)) from None
        return json(OrderSerializer(_find(token)).data, headers=PRIVATE)


def _idempotency_key(request: Request) -> str:
    """The header's value; as latin-1 text from WSGI, so everything but visible ASCII is refused."""
    key: str | None = request.META.get("HTTP_IDEMPOTENCY_KEY")
    if key is None:
        reason = "This header is required: a key of your own for this order, such as a UUID."
    elif len(key) > MAX_KEY:
        reason = f"This has {len(key)} characters; up to {MAX_KEY} are possible."
    elif "," in key:
        reason = (
            "This has a comma, or the header was sent twice: send one key without a comma, such as a UUID."
        )
    elif not _KEY.fullmatch(key):
        reason = "This has to be visible ASCII characters, such as a UUID."
    else:
        return key
    raise problems.invalid({KEY_HEADER: [reason]})


def _fingerprint(wanted: OrderRequest) -> str:
    """Of what is asked for, not of how it is written: a repeat may write a phone number or a SKU in another way."""
    items = [(item.sku.upper(), item.quantity) for item in wanted.items]
    return fingerprint({**wanted.model_dump(exclude={"items"}), "items": items})


def _answer(placed: Order | Placed, *, again: bool) -> HttpResponse:
    """The same answer for the first request and for every repeat of it, but for one header."""
    headers = {"Location": f"/api/orders/{placed.token}/", **PRIVATE}
    if again:
        headers["Idempotent-Replayed"] = "true"
    return json(
        {
            "number": placed.number,
            "token": placed.token,
            "status": OrderStatus.PLACED.value,
            "total": placed.total_minor,
            "currency": placed.currency,
            "url": placed.url,
        },
        status=201,
        headers=headers,
    )


def _reused() -> problems.Problem:
    # Which order it was is not said: whoever guesses a key must not learn of another's order.
    return problems.Problem(
        problems.KEY_REUSED,
        "An order was placed with this Idempotency-Key from a different body.",
        {KEY_HEADER: ["This key has been used for another request; draw a new one."]},
    )


def _to_retry(token: str) -> Order:
    order = Order.objects.filter(token=token).first()
    if order is None:
        reason = "There is no order with this token."
    elif order.status not in FAILED_STATES:
        reason = f"Order {order.number} did not fail: it is {order.get_status_display().lower()}."
    else:
        return order
    raise problems.invalid({"retry_of": [reason]})


def _already_retried(failed: Order | None) -> problems.Problem:
    successor = successor_of(failed) if failed else None
    if failed is None or successor is None:
        raise DatabaseError("The successor of a failed order vanished between two statements.")
    return problems.Problem(
        problems.ALREADY_RETRIED,
        f"Order {failed.number} was tried again already, as order {successor.number}: {successor.url}",
    )


def _item_errors(error: QuoteError) -> dict[str, list[str]]:
    errors = {f"items.{index}": [reason] for index, reason in error.problems.items()}
    return {"items": [error.reason], **errors} if error.reason else errors


def _find(token: str) -> Order:
    order = (
        Order.objects.filter(token=token)
        .select_related("payment", "shipment")
        .prefetch_related("lines", "documents", "events")
        .first()
    )
    if order is None:
        raise _unknown()
    return order


def _unknown() -> Http404:
    return Http404("There is no order with this token.")
