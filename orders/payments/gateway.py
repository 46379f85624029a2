"""What the shop asks of a payment provider, shaped as Stripe's PaymentIntents are.

An adapter translates; it decides nothing. Each call that changes something carries an idempotency key: the same key
again is the same call. `authorise` may come back needing the buyer (3-D Secure); the intent then moves on at the
provider, and `find` tells how far it got.
"""

from dataclasses import dataclass
from functools import cache
from typing import Literal, Protocol

from django.conf import settings
from django.utils.module_loading import import_string

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

    async def find(self, *, key: str, reference: str = "") -> Intent | None:
        """How the charge with this key stands; None if the provider never heard of it."""
        ...


_ADAPTERS = {"sandbox": "orders.payments.sandbox.SandboxGateway"}


@cache
def gateway() -> Gateway:
    """The gateway that PAYMENT_GATEWAY names: "sandbox" or the dotted path of a class."""
    found: Gateway = import_string(_ADAPTERS.get(settings.PAYMENT_GATEWAY, settings.PAYMENT_GATEWAY))()
    return found
