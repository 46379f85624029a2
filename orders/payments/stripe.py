"""The adapter for Stripe: PaymentIntents through Stripe's own library, over the shop's own connections.

The library makes the requests and reads the errors. It retries nothing (a retry is a time in the database) and opens no
connections of its own.

**Asking again.** For at least 24 hours Stripe answers the same call with the same key as it did the first time
(docs.stripe.com/api/idempotent_requests). After that a charge without a known id is looked for in Stripe's list, by the
key in its metadata. Stripe's search is behind by a minute or more, so it cannot prove that a charge is absent.

**Refusals.** What the shopper can mend is a decline: another card, the card entered once more, another amount. Only
what is ours to mend is Refused, and becomes a dead letter.

**Amounts** are in Stripe's own units (orders.payments.amounts), so a capture and a refund first look up the currency.
"""

import asyncio
import re
from collections.abc import AsyncIterator, Awaitable, Mapping
from datetime import UTC, datetime
from typing import Any, TypeVar
from urllib.parse import quote

import stripe
from django.conf import settings
from stripe.params import DisputeListParams, PaymentIntentListParams, RefundListParams

from orders.payments import amounts
from orders.payments.gateway import DISPUTES, PAGE, STATUSES, Charge, Intent, Listed, Returned
from orders.providers.failures import Refused, Transient
from orders.providers.http import client

_WITH_CHARGE = ["latest_charge"]  # nothing else says what was refunded

# What a card's token was good for is over; the first of these has neither a code nor a parameter.
_USED_UP = re.compile("may not be used again|more than once", re.IGNORECASE)
_USED = (
    "The details of this card were good for one payment, and have been used. Please enter the card once more."
)
# Other refusals that are about the card or the amount, whatever parameter they name (docs.stripe.com/error-codes).
_SHOPPERS = frozenset(
    {
        "amount_too_large",
        "amount_too_small",
        "charge_exceeds_source_limit",
        "charge_exceeds_transaction_limit",
        "invalid_charge_amount",
        "payment_intent_incompatible_payment_method",
        "payment_method_currency_mismatch",
        "payment_method_customer_decline",
        "payment_method_provider_decline",
        "payment_method_unexpected_state",
        "payment_method_unsupported_type",
        "token_already_used",
        "token_in_use",
    }
)

T = TypeVar("T")


class _Connections(stripe.HTTPClient):
    """Carries the library's requests over this thread's own session, with its limits and its timeout."""

    name = "aiohttp"

    async def request_async(
        self, method: str, url: str, headers: Mapping[str, str], post_data: Any = None
    ) -> tuple[bytes, int, Mapping[str, str]]:
        body = post_data.encode() if isinstance(post_data, str) else post_data
        # The session does not decompress.
        sent = {**headers, "Accept-Encoding": "identity"}
        status, answered, raw = await client().send(method.upper(), url, sent, body)
        return raw, status, answered

    async def close_async(self) -> None:
        """The session is not ours to close."""


class _Rejected(Refused):
    """Stripe refused this very card or request."""

    def __init__(self, what: str, error: stripe.CardError | stripe.InvalidRequestError) -> None:
        super().__init__(f"{what}: {error.user_message or error}")
        self.error = error


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
        counting = amounts.stripe(charge.currency)
        if problem := counting.problem(charge.amount_minor):
            return Intent(reference="", status="declined", reason=problem)
        call = self._stripe.v1.payment_intents.create_async(
            {
                "amount": counting.units(charge.amount_minor),
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
        )
        try:
            return _intent(await _asked(call, f"charge for {charge.order_number}"))
        except _Rejected as rejected:
            if _shopper_can_mend(rejected.error):
                return _declined(rejected.error)
            raise

    async def capture(self, reference: str, amount_minor: int, *, key: str) -> Intent:
        what = f"capture of {reference}"
        counting = await self._counting(reference, what)
        call = self._stripe.v1.payment_intents.capture_async(
            reference,
            {"amount_to_capture": counting.units(amount_minor), "expand": _WITH_CHARGE},
            {"idempotency_key": key},
        )
        return _intent(await _asked(call, what))

    async def void(self, reference: str, *, key: str) -> Intent:
        call = self._stripe.v1.payment_intents.cancel_async(
            reference, {"expand": _WITH_CHARGE}, {"idempotency_key": key}
        )
        try:
            return _intent(await _asked(call, f"void of {reference}"))
        except _Rejected:  # it cannot be voided in its present status: say which
            if found := await self.find(key="", reference=reference):
                return found
            raise

    async def refund(self, reference: str, amount_minor: int, *, key: str) -> None:
        counting = await self._counting(reference, f"refund of {reference}")
        refund = await _asked(
            self._stripe.v1.refunds.create_async(
                {
                    "payment_intent": reference,
                    "amount": counting.units(amount_minor),
                    "metadata": {"key": key},
                },
                {"idempotency_key": key},
            ),
            f"refund of {reference}",
        )
        if refund.status in ("failed", "canceled"):
            raise Refused(f"refund of {reference}: {refund.status} ({refund.failure_reason})")

    async def returns(self, reference: str) -> list[Returned]:
        async def refunds() -> list[Returned]:
            return [
                _refund(one) async for one in self._refunds({"payment_intent": reference}) if _counts(one)
            ]

        async def disputes() -> list[Returned]:
            return [_dispute(one) async for one in self._disputes({"payment_intent": reference})]

        made, disputed = await asyncio.gather(refunds(), disputes())
        return made + disputed

    async def _counting(self, reference: str, what: str) -> amounts.Counting:
        """How Stripe counts the currency of this charge."""
        call = self._stripe.v1.payment_intents.retrieve_async(quote(reference, safe=""))
        return amounts.stripe((await _asked(call, what)).currency.upper())

    async def find(self, *, key: str, reference: str = "", since: datetime | None = None) -> Intent | None:
        if reference:
            call = self._stripe.v1.payment_intents.retrieve_async(
                quote(reference, safe=""), {"expand": _WITH_CHARGE}
            )
            try:
                return _intent(await _asked(call, f"look-up of {reference}"))
            except _Rejected as rejected:
                if rejected.error.http_status == 404:
                    return None
                raise
        async for listed in self.list(since or datetime.fromtimestamp(0, UTC)):
            if listed.key == key:
                return listed.intent
        return None

    async def list(self, since: datetime) -> AsyncIterator[Listed]:
        wanted: PaymentIntentListParams = {"limit": PAGE, "expand": ["data.latest_charge"]}
        while True:
            page = await _asked(self._stripe.v1.payment_intents.list_async(wanted), "list of charges")
            for one in page.data:
                # Newest first, so the parameter `created` would save nothing.
                if one.created < int(since.timestamp()):
                    return
                if one.status in STATUSES:
                    yield _listed(one)
            if not page.has_more:
                return
            wanted["starting_after"] = page.data[-1].id

    async def returned(self, since: datetime) -> AsyncIterator[Returned]:
        async for refund in self._refunds({}):
            if refund.created < int(since.timestamp()):
                break
            if _counts(refund):
                yield _refund(refund)
        async for dispute in self._disputes({}):
            if dispute.created < int(since.timestamp()):
                break
            yield _dispute(dispute)

    async def _refunds(self, wanted: RefundListParams) -> AsyncIterator[stripe.Refund]:
        """All of Stripe's list, newest first, a page at a time."""
        while True:
            page = await _asked(
                self._stripe.v1.refunds.list_async({**wanted, "limit": PAGE}), "list of refunds"
            )
            for one in page.data:
                yield one
            if not page.has_more:
                return
            wanted["starting_after"] = page.data[-1].id

    async def _disputes(self, wanted: DisputeListParams) -> AsyncIterator[stripe.Dispute]:
        """All of Stripe's list, newest first, a page at a time."""
        while True:
            page = await _asked(
                self._stripe.v1.disputes.list_async({**wanted, "limit": PAGE}), "list of disputes"
            )
            for one in page.data:
                yield one
            if not page.has_more:
                return
            wanted["starting_after"] = page.data[-1].id


async def _asked(call: Awaitable[T], what: str) -> T:
    """The answer. Raises _Rejected, Refused or Transient."""
    try:
        return await call
    except (stripe.CardError, stripe.InvalidRequestError) as error:
        raise _Rejected(what, error) from error
    except (stripe.AuthenticationError, stripe.PermissionError) as error:
        # A person must put the key right, and the orders wait for it.
        raise Transient(f"{what}: Stripe does not take STRIPE_API_KEY ({error})", 30) from error
    except stripe.IdempotencyError as error:
        raise Refused(f"{what}: {error}") from error
    except stripe.StripeError as error:
        raise Transient(f"{what}: {error}") from error


def _shopper_can_mend(error: stripe.CardError | stripe.InvalidRequestError) -> bool:
    """Whether another card, the same one entered anew, or another amount would do. Else the request is wrong: a bug."""
    return (
        isinstance(error, stripe.CardError)
        or error.code in _SHOPPERS
        or error.param in ("payment_method", "amount")
        or _is_used_up(error)
    )


def _is_used_up(error: stripe.CardError | stripe.InvalidRequestError) -> bool:
    return bool(_USED_UP.search(error.user_message or ""))


def _minor(units: int, currency: str) -> int:
    return amounts.stripe(currency.upper()).minor(units)


def _declined(error: stripe.CardError | stripe.InvalidRequestError) -> Intent:
    body = error.json_body if isinstance(error.json_body, dict) else {}
    intent = body.get("error", {}).get("payment_intent") or {}
    return Intent(
        reference=intent.get("id", ""),
        status="declined",
        reason=_USED if _is_used_up(error) else error.user_message or error.code or "declined",
    )


def _intent(answer: stripe.PaymentIntent) -> Intent:
    status = STATUSES.get(answer.status)
    if status is None:
        # "processing": the bank has not decided. "requires_confirmation" is impossible: we confirm as we create.
        raise Transient(f"{answer.id} is {answer.status} at Stripe", 2)
    action = answer.next_action
    redirect = action.redirect_to_url if action and action.type == "redirect_to_url" else None
    error = answer.last_payment_error
    charge = answer.latest_charge
    # Stripe reports a released hold as refunded, though nothing was ever captured.
    returned = charge.amount_refunded if isinstance(charge, stripe.Charge) else 0
    return Intent(
        reference=answer.id,
        status=status,
        captured_minor=_minor(answer.amount_received, answer.currency),
        refunded_minor=_minor(min(returned, answer.amount_received), answer.currency),
        action_url=(redirect.url if redirect else None) or "",
        reason=(error.message if error else None) or "",
    )


def _counts(refund: stripe.Refund) -> bool:
    """Whether its money has left, or is on its way."""
    return refund.status not in ("failed", "canceled")


def _refund(refund: stripe.Refund) -> Returned:
    return Returned(
        reference=refund.id,
        charge=_id(refund.payment_intent),
        amount_minor=_minor(refund.amount, refund.currency),
        key=_metadata(refund.metadata, "key"),
    )


def _dispute(dispute: stripe.Dispute) -> Returned:
    return Returned(
        reference=dispute.id,
        charge=_id(dispute.payment_intent),
        amount_minor=_minor(dispute.amount, dispute.currency),
        is_dispute=True,
        status=DISPUTES.get(dispute.status, "open"),
    )


def _id(named: Any) -> str:
    """The id of what Stripe names by its id, or gives whole."""
    return str(getattr(named, "id", named) or "")


def _listed(answer: stripe.PaymentIntent) -> Listed:
    return Listed(
        intent=_intent(answer),
        currency=answer.currency.upper(),
        created_at=datetime.fromtimestamp(answer.created, UTC),
        key=_metadata(answer.metadata, "key"),
        order_number=_metadata(answer.metadata, "order"),
    )


def _metadata(metadata: Any, name: str) -> str:
    """What we sent under this name, "" if nothing. The library's objects are no dicts."""
    return str(metadata.to_dict().get(name, "")) if metadata else ""
