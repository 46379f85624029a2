"""What the shop asks of a payment provider, shaped as Stripe's PaymentIntents are.

An adapter translates; it decides nothing. Each call that changes something carries an idempotency key
(orders.payments.keys): the same key again is the same call. The answer to `authorise` may ask for the buyer (3-D
Secure); the intent then moves on at the provider, and `find` reads its status.

Providers keep keys for at least a day (KEYS_LIVE). Until then the best way to learn what became of a call is to make it
again with its key: it is answered as it was the first time, or done now if it never arrived.
"""

from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cache
from typing import Any, Literal, Protocol

from django.conf import settings
from django.utils.module_loading import import_string

# How long every provider surely remembers an idempotency key, with room to spare: Stripe promises 24 hours.
KEYS_LIVE = timedelta(hours=20)

IntentStatus = Literal["captured", "authorised", "requires_action", "declined", "voided"]
# The names of Stripe's PaymentIntents, and ours.
STATUSES: dict[str, IntentStatus] = {
    "succeeded": "captured",
    "requires_capture": "authorised",
    "requires_action": "requires_action",
    "requires_payment_method": "declined",
    "canceled": "voided",
}
PAGE = 100  # the most charges or refunds that Stripe lists at once


@dataclass(frozen=True, slots=True)
class Charge:
    """What is to be charged: amount in minor units, the card's token, and whom it is for."""

    key: str
    order_number: str
    token: str
    amount_minor: int
    currency: str
    return_url: str


@dataclass(frozen=True, slots=True)
class Intent:
    """The status of a charge at the provider. `reference` is the provider's id; "" when it made none."""

    reference: str
    status: IntentStatus
    captured_minor: int = 0
    refunded_minor: int = 0
    action_url: str = ""
    reason: str = ""

    @property
    def left_minor(self) -> int:
        """What is captured and not refunded."""
        return self.captured_minor - self.refunded_minor

    @property
    def held(self) -> bool:
        """Whether the card is held and nothing is captured yet."""
        return self.status in ("authorised", "requires_action")


@dataclass(frozen=True, slots=True)
class Listed:
    """A charge as the provider lists it. `key` and `order_number` are what we sent with it: "" when another shop made
    it, and None for a key that nobody looked up."""

    intent: Intent
    currency: str
    created_at: datetime
    key: str | None = None
    order_number: str = ""


ReturnStatus = Literal["given_back", "open", "asked", "won"]
# The names of Stripe's disputes, and ours; any other is still open. An inquiry ("warning_…") has moved no money yet.
DISPUTES: dict[str, ReturnStatus] = {
    "lost": "given_back",
    "won": "won",
    "prevented": "won",
    "warning_needs_response": "asked",
    "warning_under_review": "asked",
    "warning_closed": "won",
}


@dataclass(frozen=True, slots=True)
class Returned:
    """Money that has left a charge again, or may: a refund that the provider has accepted, or a dispute.

    `reference` is the provider's id of it, `charge` that of its charge, and `key` the one that we asked with: "" when
    we did not ask. A dispute is "open" while the buyer's bank holds the money, or "asked" while the bank only asks; in
    the end it is lost, which is "given_back", or "won".
    """

    reference: str
    charge: str
    amount_minor: int
    key: str = ""
    is_dispute: bool = False
    status: ReturnStatus = "given_back"


class Gateway(Protocol):
    """Every method may raise orders.providers.failures.Transient (try again with the same key) or Refused (never)."""

    async def authorise(self, charge: Charge, *, capture: bool) -> Intent:
        """Charge the card, capturing the money in the same call when `capture`."""

    async def capture(self, reference: str, amount_minor: int, *, key: str) -> Intent: ...

    async def void(self, reference: str, *, key: str) -> Intent:
        """Give up what is not captured yet; returns the intent, which may be captured after all."""

    async def refund(self, reference: str, amount_minor: int, *, key: str) -> None: ...

    async def returns(self, reference: str) -> list[Returned]:
        """Every refund and dispute of this charge, whoever made it: read before anything is refunded."""

    async def find(self, *, key: str, reference: str = "", since: datetime | None = None) -> Intent | None:
        """The charge with this key, None if the provider does not know it. Changes nothing.

        With the provider's `reference` it is one call. Without it an adapter may have to read the provider's list
        back to `since`, before which the charge was not asked for.
        """

    def list(self, since: datetime) -> AsyncIterator[Listed]:
        """Every charge made at the provider since then, newest first."""

    def returned(self, since: datetime) -> AsyncIterator[Returned]:
        """Every refund and dispute made at the provider since then, of whichever charge."""


_ADAPTERS = {
    "sandbox": "orders.payments.sandbox.SandboxGateway",
    "stripe": "orders.payments.stripe.StripeGateway",
}


@cache
def gateway() -> Gateway:
    """The gateway that PAYMENT_GATEWAY names: "sandbox", "stripe" or the dotted path of a class."""
    found: Gateway = import_string(_ADAPTERS.get(settings.PAYMENT_GATEWAY, settings.PAYMENT_GATEWAY))()
    return found


def columns(intents: Mapping[int, Intent]) -> dict[str, list[Any]]:
    """The intents of these orders as parameters of one statement, an array for each field."""
    found = intents.values()
    return {
        "ids": list(intents),
        "statuses": [intent.status for intent in found],
        "references": [intent.reference for intent in found],
        "captured": [intent.captured_minor for intent in found],
        "refunded": [intent.refunded_minor for intent in found],
        "urls": [intent.action_url for intent in found],
        "reasons": [intent.reason[:300] for intent in found],
    }


def unknown(reference: str) -> str:
    """For people: the provider no longer knows a charge of ours, which must be neither repeated nor forgotten."""
    return (
        f"The payment provider does not know {reference}, which it made for us. Was it charged through another gateway "
        "than PAYMENT_GATEWAY names now? Set that one again until such orders have ended."
    )
