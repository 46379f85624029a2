"""What the shop asks of a payment provider, shaped as Stripe's PaymentIntents are.

An adapter translates; it decides nothing. Each call that changes something carries an idempotency key: the same key
again is the same call. `authorise` may come back needing the buyer (3-D Secure); the intent then moves on at the
provider, and `find` tells how far it got.

Keys are kept for a day at least (KEYS_LIVE). So within a day the same call with the same key is the best way of asking
what became of it: it is answered as it was the first time, and done if it was never heard of.
"""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cache
from typing import Literal, Protocol

from django.conf import settings
from django.utils.module_loading import import_string

# How long every provider surely remembers an idempotency key, with room to spare: Stripe promises 24 hours.
KEYS_LIVE = timedelta(hours=20)

IntentStatus = Literal["captured", "authorised", "requires_action", "declined", "voided"]


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
    """How a charge stands at the provider. `reference` is the provider's id; "" when it made none."""

    reference: str
    status: IntentStatus
    captured_minor: int = 0
    refunded_minor: int = 0
    action_url: str = ""
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Listed:
    """A charge as it stands in the provider's own list. `key` and `order_number` are what we sent with it, "" if
    whoever made it was not this shop."""

    intent: Intent
    key: str
    order_number: str
    amount_minor: int
    currency: str
    created_at: datetime


@dataclass(frozen=True, slots=True)
class Refunded:
    """A refund that the provider has taken on; `key` is the one that we asked with."""

    key: str
    amount_minor: int


class Gateway(Protocol):
    """Every method may raise outside.failures.Transient (try again with the same key) or Refused (never)."""

    async def authorise(self, charge: Charge, *, capture: bool) -> Intent:
        """Charge the card, capturing the money in the same call when `capture`."""
        ...

    async def capture(self, reference: str, amount_minor: int, *, key: str) -> Intent: ...

    async def void(self, reference: str, *, key: str) -> Intent:
        """Give up what is not captured yet; returns how the intent stands, which may be captured after all."""
        ...

    async def refund(self, reference: str, amount_minor: int, *, key: str) -> None: ...

    async def refunds(self, reference: str) -> list[Refunded]:
        """Every refund of this charge: what is asked before a refund is repeated whose answer never came."""
        ...

    async def find(self, *, key: str, reference: str = "", since: datetime | None = None) -> Intent | None:
        """How the charge with this key stands; None if the provider never heard of it. Asks, and does nothing.

        With the provider's `reference` it is one call. Without it an adapter may have to read the provider's list
        back to `since`, before which the charge was not asked for.
        """
        ...

    def list(self, since: datetime) -> AsyncIterator[Listed]:
        """Every charge that was made at the provider since then, newest first."""
        ...


_ADAPTERS = {
    "sandbox": "orders.payments.sandbox.SandboxGateway",
    "stripe": "orders.payments.stripe.StripeGateway",
}


@cache
def gateway() -> Gateway:
    """The gateway that PAYMENT_GATEWAY names: "sandbox", "stripe" or the dotted path of a class."""
    found: Gateway = import_string(_ADAPTERS.get(settings.PAYMENT_GATEWAY, settings.PAYMENT_GATEWAY))()
    return found
