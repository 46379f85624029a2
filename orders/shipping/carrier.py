"""What the shop asks of a carrier, and the adapter for the sandbox's."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Protocol
from urllib.parse import urlencode

from django.conf import settings
from django.utils.module_loading import import_string

from orders.providers.http import client, expect


@dataclass(frozen=True, slots=True)
class Parcel:
    """What the carrier must know; `pieces` is the number of articles in it."""

    key: str
    order_number: str
    name: str
    line1: str
    line2: str
    city: str
    postcode: str
    country: str
    pieces: int


_ADDRESS = ("name", "line1", "line2", "city", "postcode", "country")


@dataclass(frozen=True, slots=True)
class Booking:
    carrier: str
    tracking_number: str
    tracking_url: str


class Carrier(Protocol):
    async def book(self, parcel: Parcel) -> Booking:
        """Book one parcel under its key. Raises orders.providers.failures.Transient or Refused."""

    async def find(self, parcel: Parcel) -> Booking | None:
        """What was booked under the parcel's key, None if nothing was. Raises as `book` does."""


class SandboxCarrier:
    async def book(self, parcel: Parcel) -> Booking:
        status, answer = await client().call(
            "POST",
            f"{settings.CARRIER_URL}/v1/shipments",
            key=parcel.key,
            body={
                "order": parcel.order_number,
                "address": {name: getattr(parcel, name) for name in _ADDRESS},
                "lines": parcel.pieces,
            },
        )
        return _booking(expect(status, answer, f"shipment of {parcel.order_number}"))

    async def find(self, parcel: Parcel) -> Booking | None:
        status, answer = await client().call(
            "GET", f"{settings.CARRIER_URL}/v1/shipments?{urlencode({'key': parcel.key})}"
        )
        found = expect(status, answer, f"look-up of the shipment of {parcel.order_number}")["data"]
        return _booking(found[0]) if found else None


def _booking(said: Mapping[str, str]) -> Booking:
    return Booking(said["carrier"], said["tracking_number"], said["tracking_url"])


_ADAPTERS = {"sandbox": "orders.shipping.carrier.SandboxCarrier"}


@cache
def carrier() -> Carrier:
    """The carrier that CARRIER_GATEWAY names: "sandbox" or the dotted path of a class."""
    found: Carrier = import_string(_ADAPTERS.get(settings.CARRIER_GATEWAY, settings.CARRIER_GATEWAY))()
    return found
