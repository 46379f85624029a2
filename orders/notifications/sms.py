"""Text messages, through whichever gateway SMS_GATEWAY names."""

from collections.abc import Collection
from functools import cache
from typing import Protocol

from django.conf import settings
from django.utils.module_loading import import_string

from orders.crashpoints import Point, reached
from orders.money import format
from orders.notifications.messages import RETURNED, Kind, Message, begin, finish
from orders.providers.failures import Outcome
from orders.providers.http import ask_all, client, expect
from orders.states import Channel

_TEXTS: dict[str, str] = {
    Kind.CONFIRMATION: "Stampede: we have your order {number}, thank you. Follow it here: {url}",
    Kind.OUT_OF_STOCK: "Stampede: sorry, order {number} sold out before its turn. You were not charged. {url}",
    Kind.PAYMENT_DECLINED: "Stampede: the payment for order {number} did not go through. You were not charged. {url}",
    Kind.CANCELLED: "Stampede: order {number} is cancelled. Anything you paid goes back to you. {url}",
    Kind.REFUNDED: "Stampede: {refund} for order {number} is on its way back to you. {url}",
    RETURNED: "Stampede: the parcel of order {number} is back with us; there is nothing to pay for it. {url}",
}


class SmsGateway(Protocol):
    async def send(self, to: str, text: str, *, order_number: str, key: str) -> str:
        """Send one text; returns the provider's id. Raises orders.providers.failures.Transient or Refused."""


class SandboxSms:
    async def send(self, to: str, text: str, *, order_number: str, key: str) -> str:
        status, answer = await client().call(
            "POST",
            f"{settings.SMS_URL}/v1/messages",
            key=key,
            body={"to": to, "body": text, "order": order_number},
        )
        return str(expect(status, answer, f"SMS for {order_number}")["id"])


_ADAPTERS = {"sandbox": "orders.notifications.sms.SandboxSms"}


@cache
def gateway() -> SmsGateway:
    found: SmsGateway = import_string(_ADAPTERS.get(settings.SMS_GATEWAY, settings.SMS_GATEWAY))()
    return found


def text(ids: Collection[int]) -> Outcome:
    """Send each order the text that its state calls for, once."""
    reached(Point.SMS_BEFORE_ROW, ids)
    messages = begin(ids, Channel.SMS)
    reached(Point.SMS_AFTER_ROW, ids)
    sent, errors = ask_all({message.id: message for message in messages}, _send)
    reached(Point.SMS_AFTER_CALL, ids)
    outcome = finish(ids, Channel.SMS, messages, sent, errors)
    reached(Point.SMS_AFTER_COMMIT, ids)
    return outcome


async def _send(message: Message) -> str:
    return await gateway().send(
        message.phone,
        _TEXTS[message.words].format(
            number=message.order_number,
            url=message.order_url,
            refund=format(message.refund_minor, message.currency),
        ),
        order_number=message.order_number,
        key=f"{message.key}-sms",
    )
