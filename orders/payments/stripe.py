"""The adapter for Stripe: PaymentIntents through its own library, over the house's own connections.

The library is asked to do what it knows best, requests and errors as Stripe means them, and nothing that the house
has its own way of: it retries nothing (a retry is a time in the database) and opens no connections of its own.

**Asking again.** The same call with the same key is Stripe's own way of asking what became of it: for at least 24
hours it answers what it answered the first time (docs.stripe.com/api/idempotent_requests). Later the key is forgotten,
so a charge without a known id is then looked for in Stripe's list, by the key that stands in its metadata. The list is
used and not the search, which lags behind by up to a minute and more and so proves nothing about what is absent.
"""

from collections.abc import AsyncIterator, Awaitable, Mapping
from datetime import UTC, datetime
from typing import Any, TypeVar
from urllib.parse import quote

import stripe
from django.conf import settings
from stripe.params import PaymentIntentListParams, RefundListParams

from orders.payments.gateway import Charge, Intent, IntentStatus, Listed, Refunded
from orders.providers.failures import Refused, Transient
from orders.providers.http import client

_STATUS: dict[str, IntentStatus] = {
    "succeeded": "captured",
    "requires_capture": "authorised",
    "requires_action": "requires_action",
    "requires_payment_method": "declined",
    "canceled": "voided",
}
_WITH_CHARGE = ["latest_charge"]  # what was refunded stands there alone
_PAGE = 100  # the most that Stripe gives at once

T = TypeVar("T")


class _Connections(stripe.HTTPClient):
    """Carries the library's requests over this thread's own session, with its limits and its timeout."""

    name = "aiohttp"

    async def request_async(
        self, method: str, url: str, headers: Mapping[str, str], post_data: Any = None
    ) -> tuple[bytes, int, Mapping[str, str]]:
        body = post_data.encode() if isinstance(post_data, str) else post_data
        # The session hands on what it gets as it comes: it must not come compressed.
        sent = {**headers, "Accept-Encoding": "identity"}
        status, answered, raw = await client().send(method.upper(), url, sent, body)
        return raw, status, answered

    async def close_async(self) -> None:
        """The session is not ours to close."""


class StripeGateway:
    def __init__(self) -> None:
        stripe.enable_telemetry = False
        self._stripe = stripe.StripeClient(
            settings.STRIPE_API_KEY,
            base_addresses={"api": settings.STRIPE_API_BASE},
            http_client=_Connections(),
            max_network_retries=0,
        )

    async def authorise(self, charge: Charge, *, capture: bool) -> Intent:
        try:
            intent = await _asked(
                self._stripe.v1.payment_intents.create_async(
                    {
                        "amount": charge.amount_minor,
                        "currency": charge.currency.lower(),
                        "payment_method": charge.token,
                        "allowed_payment_method_types": ["card"],
                        "capture_method": "automatic" if capture else "manual",
                        "confirm": True,
                        "return_url": charge.return_url,
                        "metadata": {"order": charge.order_number, "key": charge.key},
                        "expand": _WITH_CHARGE,
                    },
                    {"idempotency_key": charge.key},
                ),
                f"charge for {charge.order_number}",
            )
        except stripe.CardError as error:
            return _declined(error)
        except stripe.InvalidRequestError as error:
            if error.param == "payment_method":  # a token that was never given out is the shopper's mistake
                return _declined(error)
            raise Refused(f"charge for {charge.order_number}: {error.user_message or error}") from error
        return _intent(intent)

    async def capture(self, reference: str, amount_minor: int, *, key: str) -> Intent:
        what = f"capture of {reference}"
        return _intent(
            await _done(
                self._stripe.v1.payment_intents.capture_async(
                    reference,
                    {"amount_to_capture": amount_minor, "expand": _WITH_CHARGE},
                    {"idempotency_key": key},
                ),
                what,
            )
        )

    async def void(self, reference: str, *, key: str) -> Intent:
        try:
            return _intent(
                await _asked(
                    self._stripe.v1.payment_intents.cancel_async(
                        reference, {"expand": _WITH_CHARGE}, {"idempotency_key": key}
                    ),
                    f"void of {reference}",
                )
            )
        except stripe.InvalidRequestError as error:  # it cannot be voided in the state it is in: say which
            found = await self.find(key="", reference=reference)
            if found:
                return found
            raise Refused(f"void of {reference}: {error.user_message or error}") from error

    async def refund(self, reference: str, amount_minor: int, *, key: str) -> None:
        refund = await _done(
            self._stripe.v1.refunds.create_async(
                {"payment_intent": reference, "amount": amount_minor, "metadata": {"key": key}},
                {"idempotency_key": key},
            ),
            f"refund of {reference}",
        )
        if refund.status in ("failed", "canceled"):
            raise Refused(f"refund of {reference}: {refund.status} ({refund.failure_reason})")

    async def refunds(self, reference: str) -> list[Refunded]:
        found: list[Refunded] = []
        wanted: RefundListParams = {"payment_intent": reference, "limit": _PAGE}
        while True:
            page = await _done(self._stripe.v1.refunds.list_async(wanted), f"refunds of {reference}")
            found += [
                Refunded(key=_said(refund.metadata, "key"), amount_minor=refund.amount)
                for refund in page.data
                if refund.status not in ("failed", "canceled")
            ]
            if not page.has_more:
                return found
            wanted["starting_after"] = page.data[-1].id

    async def find(self, *, key: str, reference: str = "", since: datetime | None = None) -> Intent | None:
        if reference:
            try:
                return _intent(
                    await _asked(
                        self._stripe.v1.payment_intents.retrieve_async(
                            quote(reference, safe=""), {"expand": _WITH_CHARGE}
                        ),
                        f"look-up of {reference}",
                    )
                )
            except stripe.InvalidRequestError as error:
                if error.http_status == 404:
                    return None
                raise Refused(f"look-up of {reference}: {error.user_message or error}") from error
        async for listed in self.list(since or datetime.fromtimestamp(0, UTC)):
            if listed.key == key:
                return listed.intent
        return None

    async def list(self, since: datetime) -> AsyncIterator[Listed]:
        wanted: PaymentIntentListParams = {"limit": _PAGE, "expand": ["data.latest_charge"]}
        while True:
            page = await _done(self._stripe.v1.payment_intents.list_async(wanted), "list of charges")
            for one in page.data:
                # Newest first; the parameter `created` would say the same and cost nothing less.
                if one.created < int(since.timestamp()):
                    return
                if one.status in _STATUS:
                    yield _listed(one)
            if not page.has_more:
                return
            wanted["starting_after"] = page.data[-1].id


async def _asked(call: Awaitable[T], what: str) -> T:
    """The answer; what Stripe says of this very card or request is left to the caller."""
    try:
        return await call
    except (stripe.CardError, stripe.InvalidRequestError):
        raise
    except (stripe.AuthenticationError, stripe.PermissionError) as error:
        # A key that was changed or narrowed is mended by a person, and the orders wait for it.
        raise Transient(f"{what}: Stripe does not take STRIPE_API_KEY ({error})", 30) from error
    except stripe.IdempotencyError as error:
        raise Refused(f"{what}: {error}") from error
    except stripe.StripeError as error:
        raise Transient(f"{what}: {error}") from error


async def _done(call: Awaitable[T], what: str) -> T:
    """The answer, of a call that can only be refused for good."""
    try:
        return await _asked(call, what)
    except (stripe.CardError, stripe.InvalidRequestError) as error:
        raise Refused(f"{what}: {error.user_message or error}") from error


def _declined(error: stripe.CardError | stripe.InvalidRequestError) -> Intent:
    body = error.json_body if isinstance(error.json_body, dict) else {}
    intent = body.get("error", {}).get("payment_intent") or {}
    return Intent(
        reference=intent.get("id", ""),
        status="declined",
        reason=error.user_message or error.code or "declined",
    )


def _intent(answer: stripe.PaymentIntent) -> Intent:
    status = _STATUS.get(answer.status)
    if status is None:
        # "processing": the bank has not said yet. "requires_confirmation" cannot be, for we confirm as we create.
        raise Transient(f"{answer.id} is {answer.status} at Stripe", 2)
    action = answer.next_action
    redirect = action.redirect_to_url if action and action.type == "redirect_to_url" else None
    error = answer.last_payment_error
    charge = answer.latest_charge
    # Of a hold that was given up Stripe says that it was refunded, though nothing was ever captured.
    returned = charge.amount_refunded if isinstance(charge, stripe.Charge) else 0
    return Intent(
        reference=answer.id,
        status=status,
        captured_minor=answer.amount_received,
        refunded_minor=min(returned, answer.amount_received),
        action_url=(redirect.url if redirect else None) or "",
        reason=(error.message if error else None) or "",
    )


def _listed(answer: stripe.PaymentIntent) -> Listed:
    return Listed(
        intent=_intent(answer),
        key=_said(answer.metadata, "key"),
        order_number=_said(answer.metadata, "order"),
        amount_minor=answer.amount,
        currency=answer.currency.upper(),
        created_at=datetime.fromtimestamp(answer.created, UTC),
    )


def _said(metadata: Any, name: str) -> str:
    """What we sent with it under this name, "" if nothing. The library's objects are no dicts."""
    return str(metadata.to_dict().get(name, "")) if metadata else ""
