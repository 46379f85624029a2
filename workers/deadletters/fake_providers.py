"""Fake providers, which only note what they are asked during a dry run.

They say yes to everything. What they know of earlier calls comes from our own books: a charge that is captured there
is found captured.
"""

from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from datetime import datetime
from typing import get_args

from django.conf import settings
from django.core.mail import EmailMessage
from django.core.mail.backends.base import BaseEmailBackend

from orders import money
from orders.models import Payment
from orders.notifications import sms
from orders.payments import gateway as payments
from orders.payments.gateway import Charge, Intent, IntentStatus, Listed, Returned
from orders.shipping import carrier
from orders.shipping.carrier import Booking, Parcel


@dataclass(slots=True)
class Record:
    """What the providers were asked, in sentences; `payment` is what our books say of the order's charge."""

    payment: Payment | None
    calls: list[str] = field(default_factory=list)

    def amount(self, minor: int) -> str:
        return money.format(minor, self.payment.currency) if self.payment else str(minor)


_record: ContextVar[Record] = ContextVar("record")
# What the providers' answers are made of.
_FAKE = "dry-run"


@contextmanager
def recording(payment: Payment | None) -> Iterator[Record]:
    """The whole process calls fake providers. For a process that does nothing else meanwhile."""
    record = Record(payment)
    token = _record.set(record)
    replaced = {
        "PAYMENT_GATEWAY": f"{__name__}.Payments",
        "CARRIER_GATEWAY": f"{__name__}.Carrier",
        "SMS_GATEWAY": f"{__name__}.Sms",
        "EMAIL_BACKEND": f"{__name__}.Mail",
    }
    real = {name: getattr(settings, name) for name in replaced}
    try:
        _use(replaced)
        yield record
    finally:
        _use(real)
        _record.reset(token)


def _use(chosen: dict[str, str]) -> None:
    for name, value in chosen.items():
        setattr(settings, name, value)
    for chooser in (payments.gateway, carrier.carrier, sms.gateway):
        chooser.cache_clear()


class Payments:
    async def authorise(self, charge: Charge, *, capture: bool) -> Intent:
        what = "charge" if capture else "authorise"
        amount = self._amount(charge.amount_minor)
        self._note(f"{what} {amount} from the card under the key {charge.key}")
        return Intent(_FAKE, "captured", charge.amount_minor) if capture else Intent(_FAKE, "authorised")

    async def capture(self, reference: str, amount_minor: int, *, key: str) -> Intent:
        self._note(f"capture {self._amount(amount_minor)} of {reference} under the key {key}")
        return Intent(reference, "captured", amount_minor)

    async def void(self, reference: str, *, key: str) -> Intent:
        self._note(f"void {reference} under the key {key}")
        return Intent(reference, "voided")

    async def refund(self, reference: str, amount_minor: int, *, key: str) -> None:
        self._note(f"refund {self._amount(amount_minor)} of {reference} under the key {key}")

    async def returns(self, reference: str) -> list[Returned]:
        self._note(f"list the refunds and disputes of {reference}; answered: none")
        return []

    async def returned(self, since: datetime) -> AsyncIterator[Returned]:
        self._note(f"list the refunds and disputes since {since:%Y-%m-%d %H:%M}; answered: none")
        nothing: tuple[Returned, ...] = ()
        for returned in nothing:
            yield returned

    async def find(self, *, key: str, **_: object) -> Intent | None:
        known = _record.get().payment
        statuses: tuple[IntentStatus, ...] = get_args(IntentStatus)
        status = next((one for one in statuses if known and known.status == one), None)
        answer = f"{status}, as our books have it" if status else "no such charge"
        self._note(f"look up the charge with the key {key}; answered: {answer}")
        if known is None or status is None:
            return None
        return Intent(known.reference, status, known.captured_minor, known.refunded_minor, known.action_url)

    async def list(self, since: datetime) -> AsyncIterator[Listed]:
        self._note(f"list the charges since {since:%Y-%m-%d %H:%M}; answered: none")
        nothing: tuple[Listed, ...] = ()
        for listed in nothing:
            yield listed

    def _note(self, what: str) -> None:
        _record.get().calls.append(f"payments: {what}")

    def _amount(self, minor: int) -> str:
        return _record.get().amount(minor)


class Carrier:
    async def book(self, parcel: Parcel) -> Booking:
        _record.get().calls.append(
            f"carrier: book {parcel.pieces} pieces to {parcel.name}, {parcel.line1}, {parcel.postcode} {parcel.city}, "
            f"{parcel.country} under the key {parcel.key}"
        )
        return Booking(_FAKE, _FAKE, f"https://carrier.invalid/{_FAKE}")

    async def find(self, parcel: Parcel) -> Booking | None:
        _record.get().calls.append(f"carrier: look up the key {parcel.key}; answered: nothing")
        return None


class Sms:
    async def send(self, to: str, text: str, *, key: str, **_: object) -> str:
        _record.get().calls.append(f"SMS: “{text}” to {to} under the key {key}")
        return _FAKE


class Mail(BaseEmailBackend):
    def send_messages(self, email_messages: Sequence[EmailMessage]) -> int:
        for message in email_messages:
            _record.get().calls.append(f"e-mail: “{message.subject}” to {', '.join(message.to)}")
        return len(email_messages)
