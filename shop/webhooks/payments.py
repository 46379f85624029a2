"""Where the payment provider reports what happened outside a call of ours, such as a buyer's bank confirming.

The report is a doorbell and nothing else: it names an order, the order is made due, and the charge step asks
the provider how the payment stands. So it does not matter whether a report is lost, doubled, late or out of
order, and what it claims is never believed.
"""

import logging
import time
from typing import Any

import orjson
from django.conf import settings
from django.db import DatabaseError, connection
from django.db.models import Q
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.views.decorators.csrf import csrf_exempt

from orders import driving
from orders.models import Payment
from orders.models.order import id_of
from shop.api import problems
from shop.webhooks.signature import BadSignature, verify

MAX_BODY = 256 * 1024  # bytes

logger = logging.getLogger(__name__)


@csrf_exempt  # the signature is what proves the sender
def payments(request: HttpRequest) -> HttpResponse:
    """200 for every report with a good signature, known order or not, so that the provider does not repeat
    it."""
    if request.method != "POST":
        return problems.response(request, 405, "This takes POST alone.", headers={"Allow": "POST"})
    if int(request.META.get("CONTENT_LENGTH") or 0) > MAX_BODY:
        return problems.response(request, 413, f"The body is larger than {MAX_BODY:,} bytes.")
    try:
        signature = request.headers.get("Stripe-Signature", "")
        verify(signature, request.body, settings.PAYMENTS_WEBHOOK_SECRET, time.time())
    except BadSignature as reason:
        logger.warning("A payment webhook from %s was refused: %s", request.META.get("REMOTE_ADDR"), reason)
        return problems.of(request, problems.Problem(problems.BAD_SIGNATURE, str(reason)))
    try:
        event = orjson.loads(request.body)
    except orjson.JSONDecodeError as error:
        return problems.of(request, problems.Problem(problems.MALFORMED, f"The body is not JSON: {error}."))
    try:
        _ring(event)
    except DatabaseError as error:
        # No 200 for a report that reached nobody: the provider comes again.
        connection.close()
        return problems.unavailable(request, error)
    return JsonResponse({"received": True})


def _ring(event: Any) -> None:
    """Make the order that the event is about due. It is found by the provider's id, or by our order number: a
    bank may be quicker than the commit in which we note the provider's id."""
    intent = _at(event, "data", "object")
    reference, number = _at(intent, "id"), _at(intent, "metadata", "order")
    which = Q(pk__in=[])
    if isinstance(reference, str) and reference and reference.isprintable():
        which |= Q(reference=reference)
    if isinstance(number, str) and (order_id := id_of(number)) is not None:
        which |= Q(order_id=order_id)
    due = list(Payment.objects.filter(which).values_list("order_id", flat=True))
    if due:
        driving.make_due(due)
    else:
        logger.warning(
            "A payment webhook (%s) is about a payment that we do not know: %s", _at(event, "type"), reference
        )


def _at(value: Any, *names: str) -> Any:
    """What stands at a path of a parsed JSON value; None where the path ends early."""
    for name in names:
        value = value.get(name) if isinstance(value, dict) else None
    return value
