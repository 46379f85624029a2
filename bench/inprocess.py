"""Providers that answer at once, within the worker: what the shop itself can do when no provider takes any time.

They answer what a backlog of good cards asks for, and nothing else. Only for measuring: they keep no ledger.
"""

from orders.payments.gateway import Charge, Intent
from orders.shipping.carrier import Booking, Parcel

SETTINGS = {
    "PAYMENT_GATEWAY": "bench.inprocess.Payments",
    "SMS_GATEWAY": "bench.inprocess.Sms",
    "CARRIER_GATEWAY": "bench.inprocess.Carrier",
    "EMAIL_URL": "dummy://",
}


class Payments:
    async def authorise(self, charge: Charge, *, capture: bool) -> Intent:
        captured = charge.amount_minor if capture else 0
        return Intent(f"pi_{charge.key}", "captured" if capture else "authorised", captured_minor=captured)


class Sms:
    async def send(self, *_: str, key: str, **__: str) -> str:
        return f"sm_{key}"


class Carrier:
    async def book(self, parcel: Parcel) -> Booking:
        return Booking("In-process Post", f"IP{parcel.order_number}", "")

    async def find(self, _: Parcel) -> Booking | None:
        return None  # it refuses nothing
