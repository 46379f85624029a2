"""The adapter for the sandbox's payment provider, whose API is that of Stripe's PaymentIntents."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from datetime import UTC, datetime
from typing import Any

from django.conf import settings

from orders.payments.gateway import DISPUTES, PAGE, STATUSES, Charge, Intent, Listed, Returned
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

    async def returns(self, reference: str) -> list[Returned]:
        async def of(kind: str) -> list[Returned]:
            return [_returned(answer) async for answer in self._listed(kind, f"payment_intent={reference}&")]

        refunds, disputes = await asyncio.gather(of("refunds"), of("disputes"))
        return refunds + disputes

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
        async for answer in self._listed("payment_intents"):
            if answer["created"] < int(since.timestamp()):
                return
            yield _listed(answer)

    async def returned(self, since: datetime) -> AsyncIterator[Returned]:
        for kind in ("refunds", "disputes"):
            async for answer in self._listed(kind):
                if answer["created"] < int(since.timestamp()):
                    break
                yield _returned(answer)

    async def _listed(self, kind: str, only: str = "") -> AsyncIterator[dict[str, Any]]:
        """All of a list, newest first, a page at a time."""
        after = ""
        while True:
            url = f"{self._url}/{kind}?{only}limit={PAGE}&starting_after={after}"
            page = expect(*await client().call("GET", url), f"list of {kind}")
            for answer in page["data"]:
                yield answer
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


def _returned(answer: dict[str, Any]) -> Returned:
    is_dispute = answer["object"] == "dispute"
    return Returned(
        reference=answer["id"],
        charge=answer["payment_intent"],
        amount_minor=answer["amount"],
        key=answer.get("key") or "",
        is_dispute=is_dispute,
        status=DISPUTES.get(answer["status"], "open") if is_dispute else "given_back",
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
