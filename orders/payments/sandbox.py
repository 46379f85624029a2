"""The adapter for the sandbox's payment provider, which speaks as Stripe's PaymentIntents do."""

from typing import Any

from django.conf import settings

from orders.outside.failures import Refused
from orders.outside.http import client, expect
from orders.payments.gateway import Charge, Intent, IntentStatus

_STATUS: dict[str, IntentStatus] = {
    "succeeded": "captured",
    "requires_capture": "authorised",
    "requires_action": "requires_action",
    "requires_payment_method": "declined",
    "canceled": "voided",
}


class SandboxGateway:
    def __init__(self) -> None:
        self._url = settings.PAYMENTS_URL + "/v1"

    async def authorise(self, charge: Charge, *, capture: bool) -> Intent:
        status, answer = await client().call(
            "POST",
            f"{self._url}/payment_intents",
            key=charge.key,
            body={
                "amount": charge.amount_minor,
                "currency": charge.currency.lower(),
                "payment_method": charge.token,
                "capture_method": "automatic" if capture else "manual",
                "metadata": {"order": charge.order_number, "key": charge.key},
                "return_url": charge.return_url,
            },
        )
        if status == 402 or (status == 400 and _unknown_card(answer)):
            error = answer["error"]
            return Intent(
                reference=(error.get("payment_intent") or {}).get("id", ""),
                status="declined",
                reason=error.get("message") or error.get("code", "declined"),
            )
        return _intent(expect(status, answer, f"charge for {charge.order_number}"))

    async def capture(self, reference: str, amount_minor: int, *, key: str) -> Intent:
        status, answer = await client().call(
            "POST",
            f"{self._url}/payment_intents/{reference}/capture",
            key=key,
            body={"amount_to_capture": amount_minor},
        )
        return _intent(expect(status, answer, f"capture of {reference}"))

    async def void(self, reference: str, *, key: str) -> Intent:
        status, answer = await client().call(
            "POST", f"{self._url}/payment_intents/{reference}/cancel", key=key, body={}
        )
        if status == 400:  # it cannot be voided in the state it is in: say which
            found = await self.find(key="", reference=reference)
            if found:
                return found
        return _intent(expect(status, answer, f"void of {reference}"))

    async def refund(self, reference: str, amount_minor: int, *, key: str) -> None:
        status, answer = await client().call(
            "POST",
            f"{self._url}/refunds",
            key=key,
            body={"payment_intent": reference, "amount": amount_minor},
        )
        refund = expect(status, answer, f"refund of {reference}")
        if refund["status"] not in ("succeeded", "pending"):
            raise Refused(f"refund of {reference}: {refund['status']}")

    async def find(self, *, key: str, reference: str = "") -> Intent | None:
        if reference:
            status, answer = await client().call("GET", f"{self._url}/payment_intents/{reference}")
            return None if status == 404 else _intent(expect(status, answer, f"look-up of {reference}"))
        status, answer = await client().call("GET", f"{self._url}/payment_intents?key={key}")
        data = expect(status, answer, f"look-up of key {key}")["data"]
        return _intent(data[0]) if data else None


def _unknown_card(answer: Any) -> bool:
    """A token that the provider never gave out is the shopper's mistake, not ours."""
    return isinstance(answer, dict) and answer.get("error", {}).get("param") == "payment_method"


def _intent(answer: dict[str, Any]) -> Intent:
    action = answer.get("next_action") or {}
    error = answer.get("last_payment_error") or {}
    return Intent(
        reference=answer["id"],
        status=_STATUS[answer["status"]],
        captured_minor=answer["amount_received"],
        refunded_minor=answer["amount_refunded"],
        action_url=(action.get("redirect_to_url") or {}).get("url", ""),
        reason=error.get("message", ""),
    )
