"""The adapter for the sandbox's payment provider, whose API is that of Stripe's PaymentIntents."""

from collections.abc import AsyncIterator, Mapping
from datetime import UTC, datetime
from typing import Any

from django.conf import settings

from orders.payments.gateway import PAGE, STATUSES, Charge, Intent, Listed, Refunded
from orders.providers.failures import Refused
from orders.providers.http import client, expect


class SandboxGateway:
    def __init__(self) -> None:
        self._url = settings.PAYMENTS_URL + "/v1"

    async def authorise(self, charge: Charge, *, capture: bool) -> Intent:
        body = {
            "amount": charge.amount_minor,
            "currency": charge.currency.lower(),
            "payment_method": charge.token,
            "capture_method": "automatic" if capture else "manual",
            "metadata": {"order": charge.order_number, "key": charge.key},
            "return_url": charge.return_url,
        }
        status, answer = await self._post("payment_intents", charge.key, body)
        if status == 402 or (status == 400 and _unknown_card(answer)):
            error = answer["error"]
            return Intent(
                reference=(error.get("payment_intent") or {}).get("id", ""),
                status="declined",
                reason=error.get("message") or error.get("code", "declined"),
            )
        return _intent(expect(status, answer, f"charge for {charge.order_number}"))

    async def capture(self, reference: str, amount_minor: int, *, key: str) -> Intent:
        body = {"amount_to_capture": amount_minor}
        status, answer = await self._post(f"payment_intents/{reference}/capture", key, body)
        return _intent(expect(status, answer, f"capture of {reference}"))

    async def void(self, reference: str, *, key: str) -> Intent:
        status, answer = await self._post(f"payment_intents/{reference}/cancel", key, {})
        if status == 400:  # it cannot be voided in the state it is in: say which
            found = await self.find(key="", reference=reference)
            if found:
                return found
        return _intent(expect(status, answer, f"void of {reference}"))

    async def refund(self, reference: str, amount_minor: int, *, key: str) -> None:
        body = {"payment_intent": reference, "amount": amount_minor}
        status, answer = await self._post("refunds", key, body)
        refund = expect(status, answer, f"refund of {reference}")
        if refund["status"] not in ("succeeded", "pending"):
            raise Refused(f"refund of {reference}: {refund['status']}")

    async def refunds(self, reference: str) -> list[Refunded]:
        status, answer = await client().call("GET", f"{self._url}/refunds?payment_intent={reference}")
        data = expect(status, answer, f"refunds of {reference}")["data"]
        return [Refunded(key=refund["key"] or "", amount_minor=refund["amount"]) for refund in data]

    async def find(self, *, key: str, reference: str = "", since: datetime | None = None) -> Intent | None:
        """The sandbox never forgets a key, so `since` is of no use here."""
        del since
        if reference:
            status, answer = await client().call("GET", f"{self._url}/payment_intents/{reference}")
            return None if status == 404 else _intent(expect(status, answer, f"look-up of {reference}"))
        status, answer = await client().call("GET", f"{self._url}/payment_intents?key={key}")
        data = expect(status, answer, f"look-up of key {key}")["data"]
        return _intent(data[0]) if data else None

    async def list(self, since: datetime) -> AsyncIterator[Listed]:
        after = ""
        while True:
            url = f"{self._url}/payment_intents?limit={PAGE}&starting_after={after}"
            page = expect(*await client().call("GET", url), "list of charges")
            for answer in page["data"]:
                if answer["created"] < int(since.timestamp()):
                    return
                yield _listed(answer)
            if not page["has_more"]:
                return
            after = page["data"][-1]["id"]

    async def _post(self, path: str, key: str, body: Mapping[str, Any]) -> tuple[int, Any]:
        return await client().call("POST", f"{self._url}/{path}", key=key, body=body)


def _unknown_card(answer: Any) -> bool:
    """A token that the provider never gave out is the shopper's mistake, not ours."""
    return isinstance(answer, dict) and answer.get("error", {}).get("param") == "payment_method"


def _intent(answer: dict[str, Any]) -> Intent:
    action = answer.get("next_action") or {}
    error = answer.get("last_payment_error") or {}
    return Intent(
        reference=answer["id"],
        status=STATUSES[answer["status"]],
        captured_minor=answer["amount_received"],
        refunded_minor=answer["amount_refunded"],
        action_url=(action.get("redirect_to_url") or {}).get("url", ""),
        reason=error.get("message", ""),
    )


def _listed(answer: dict[str, Any]) -> Listed:
    metadata = answer["metadata"]
    return Listed(
        intent=_intent(answer),
        currency=answer["currency"].upper(),
        created_at=datetime.fromtimestamp(answer["created"], UTC),
        key=metadata.get("key", ""),
        order_number=metadata.get("order", ""),
    )
