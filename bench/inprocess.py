"""Providers that answer at once, within the worker: what the shop itself can do when nobody outside takes any time.

Named by PAYMENT_GATEWAY, SMS_GATEWAY and CARRIER_GATEWAY; only for measuring, as they keep no books.
"""

# ruff: noqa: ARG002 (what the protocols hand over, nobody here looks at)

from collections.abc import AsyncIterator
from datetime import datetime

from orders.payments.gateway import Charge, Intent, Listed, Refunded
from orders.shipping.carrier import Booking, Parcel

SETTINGS = {
    "PAYMENT_GATEWAY": "bench.inprocess.Payments",
    "SMS_GATEWAY": "bench.inprocess.Sms",
    "CARRIER_GATEWAY": "bench.inprocess.Carrier",
    "DJANGO_SETTINGS_MODULE": "bench.inprocess_settings",
}


class Payments:
    async def authorise(self, charge: Charge, *, capture: bool) -> Intent:
        captured = charge.amount_minor if capture else 0
        return Intent(f"pi_{charge.key}", "captured" if capture else "authorised", captured_minor=captured)

    async def capture(self, reference: str, amount_minor: int, *, key: str) -> Intent:
        return Intent(reference, "captured", captured_minor=amount_minor)

    async def void(self, reference: str, *, key: str) -> Intent:
        return Intent(reference, "voided")

    async def refund(self, reference: str, amount_minor: int, *, key: str) -> None:
        return None

    async def refunds(self, reference: str) -> list[Refunded]:
        return []

    async def find(self, *, key: str, reference: str = "", since: datetime | None = None) -> Intent | None:
        return None

    async def list(self, since: datetime) -> AsyncIterator[Listed]:
        nothing: tuple[Listed, ...] = ()
        for listed in nothing:
            yield listed


class Sms:
    async def send(self, to: str, text: str, *, order_number: str, key: str) -> str:
        return f"sm_{key}"


class Carrier:
    async def book(self, parcel: Parcel) -> Booking:
        return Booking("In-process Post", f"IP{parcel.order_number}", "")
