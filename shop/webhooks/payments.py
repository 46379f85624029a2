"""Where the payment provider reports what happened outside a call of ours, such as a buyer's bank confirming.

Only the sender is checked here: signature and age. Then the report goes into the inbox (orders.payments.inbox), and its
order becomes due. Reports of every gateway whose secret is set are taken, whichever charges now: a shop that moves from
one to the other still hears of what it charged before.
"""

import logging
import time
from datetime import UTC, datetime
from hashlib import sha256
from typing import Any

import orjson
from django.conf import settings
from django.db import DatabaseError, connection
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.views.decorators.csrf import csrf_exempt

from orders.models.order import id_of_exactly
from orders.payments import inbox
from shop.api import problems
from shop.webhooks.signature import BadSignature, verify

MAX_BODY = 256 * 1024  # bytes

logger = logging.getLogger(__name__)


@csrf_exempt  # the signature is what proves the sender
def payments(request: HttpRequest) -> HttpResponse:
    """200 for every report with a good signature, known order or not, so that the provider does not repeat it."""
    if request.method != "POST":
        return problems.response(request, 405, "This takes POST alone.", headers={"Allow": "POST"})
    if int(request.META.get("CONTENT_LENGTH") or 0) > MAX_BODY:
        return problems.response(request, 413, f"The body is larger than {MAX_BODY:,} bytes.")
    if compressed := problems.compressed(request.META):
        return problems.of(request, compressed)
    try:
        gateway = _sender(request.headers.get("Stripe-Signature", ""), request.body)
    except BadSignature as reason:
        logger.warning("A payment webhook from %s was refused: %s", request.META.get("REMOTE_ADDR"), reason)
        return problems.of(request, problems.Problem(problems.BAD_SIGNATURE, str(reason)))
    try:
        event = orjson.loads(request.body)
    except orjson.JSONDecodeError as error:
        return problems.of(request, problems.Problem(problems.MALFORMED, f"The body is not JSON: {error}."))
    report = _report(gateway, event, request.body)
    try:
        known = inbox.apply(inbox.keep(report))
    except DatabaseError as error:
        # No 200 for a report that was not kept: so the provider sends it again.
        connection.close()
        return problems.unavailable(request, error)
    if not known:
        logger.warning(
            "A payment webhook (%s) is about a payment that we do not know: %s",
            report.kind,
            report.reference,
        )
    return JsonResponse({"received": True})


def _sender(header: str, body: bytes) -> str:
    """The gateway whose secret signed the body, lately; raises BadSignature."""
    refused = BadSignature("No payment gateway has a webhook secret here.")
    for gateway, secret in _secrets().items():
        try:
            verify(header, body, secret, time.time())
            return gateway
        except BadSignature as reason:
            refused = reason
    raise refused


def _secrets() -> dict[str, str]:
    """Secrets by gateway. The one that charges now comes last, so that its reason for a refusal is what is told."""
    ours = "sandbox" if settings.PAYMENT_GATEWAY == "stripe" else settings.PAYMENT_GATEWAY
    found = {ours: settings.PAYMENTS_WEBHOOK_SECRET, "stripe": settings.STRIPE_WEBHOOK_SECRET}
    return {
        gateway: secret
        for gateway, secret in sorted(found.items(), key=lambda one: one[0] == settings.PAYMENT_GATEWAY)
        if secret
    }


def _report(gateway: str, event: Any, body: bytes) -> inbox.Report:
    """What finds the order of a report: the provider's id of the charge, and our order number, for a bank may be
    quicker than the commit in which we note the provider's id. Reports about a refund or a dispute name the charge in
    `payment_intent`. One without an id of its own is known by its bytes."""
    subject = _at(event, "data", "object")
    number, created = _text(_at(subject, "metadata", "order")), _at(event, "created")
    return inbox.Report(
        gateway=gateway[:100],
        event_id=_text(_at(event, "id")) or f"sha256:{sha256(body).hexdigest()}",
        kind=_text(_at(event, "type"))[:100],
        reference=_text(_at(subject, "payment_intent")) or _text(_at(subject, "id")),
        order_id=id_of_exactly(number),
        body=body.decode(),
        happened_at=datetime.fromtimestamp(created, UTC)
        if type(created) is int and 0 < created < 1 << 34
        else None,
    )


def _text(value: Any) -> str:
    """A short printable text, "" for anything else."""
    return value if isinstance(value, str) and value.isprintable() and len(value) <= 255 else ""


def _at(value: Any, *names: str) -> Any:
    """The value at a path of parsed JSON; None where the path ends early."""
    for name in names:
        value = value.get(name) if isinstance(value, dict) else None
    return value
