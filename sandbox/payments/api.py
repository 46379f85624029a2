"""The provider's calls: what is checked before an intent is touched, and which events follow."""

import re
from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

import orjson
from aiohttp import web

from sandbox.faults import Faults
from sandbox.ledger import Ledger
from sandbox.payments.authentication import EVENT_OF_STATUS, Authentication
from sandbox.payments.cards import CARDS, Card
from sandbox.payments.disputes import OPEN, Disputes
from sandbox.payments.intents import Intents, Order
from sandbox.payments.webhooks import Webhooks
from sandbox.service import ApiError, Call, Provider, Reply, Work, text_of, whole_number

CURRENCY = re.compile(r"[A-Za-z]{3}")
LIST_LIMIT = 100


class Payments:
    """The API over intents, cards and webhooks."""

    def __init__(
        self, ledger: Ledger, faults: Faults, webhooks: Webhooks, public_url: str, announce_all: bool
    ) -> None:
        self.ledger = ledger
        self.faults = faults
        self.webhooks = webhooks
        self.intents = Intents(ledger, public_url)
        self.disputes = Disputes(ledger, self.intents)
        self._announce_all = announce_all
        # Calls that pm_sandbox_flaky turned away, by key; what was not done need not outlive the process.
        self._refused: dict[str, int] = {}
        provider = Provider("the payment provider", ledger, faults)
        provider.post("/v1/payment_intents", self._create)
        provider.post("/v1/payment_intents/{id}/capture", self._capture)
        provider.post("/v1/payment_intents/{id}/cancel", self._cancel)
        provider.post("/v1/refunds", self._refund)
        provider.get("/v1/refunds", lambda request: _page(request, self.intents.refunds))
        provider.get("/v1/disputes", lambda request: _page(request, self.disputes.newest))
        # What people do in the provider's own dashboard, and banks do: the merchant hears of it by webhook alone.
        provider.post("/dashboard/refunds", self._refund_by_hand)
        provider.post("/dashboard/disputes", self._dispute)
        provider.post("/dashboard/disputes/{id}", self._decide)
        provider.get("/v1/payment_intents", self._list)
        provider.get("/v1/payment_intents/{id}", lambda request: self.intents.get(request.match_info["id"]))
        self.app = provider.app
        Authentication(ledger, self.intents, webhooks).add_to(self.app)
        self.app.on_startup.append(self._start)
        self.app.on_cleanup.append(self._stop)

    async def _start(self, _app: web.Application) -> None:
        self.webhooks.start()

    async def _stop(self, _app: web.Application) -> None:
        await self.webhooks.stop()

    def _create(self, call: Call) -> Work:
        asked, card = _checked(call.params)
        if card.refusals:
            self._turn_away(card, call.key or asked.metadata.get("order", ""))

        def run() -> Reply:
            intent = self.intents.create(asked, card, call.key)
            self._announce(EVENT_OF_STATUS.get(intent["status"]), intent)
            if card.decline is None:
                return Reply(200, orjson.dumps(intent), intent["id"])
            error = {**intent["last_payment_error"], "payment_intent": intent}
            return Reply(402, orjson.dumps({"error": error}), intent["id"])

        return Work(
            run,
            wait=self.faults.slow_s if card.is_slow else 0.0,
            hold=self.faults.timeout_s if card.answers_late else 0.0,
        )

    def _turn_away(self, card: Card, key: str) -> None:
        refused = self._refused.get(key, 0)
        if refused < card.refusals:
            self._refused[key] = refused + 1
            raise ApiError(
                503, "Temporarily out of order; nothing was done. Try again.", type="api_error", retry_after=1
            )
        del self._refused[key]

    def _capture(self, call: Call) -> Work:
        amount = _optional_amount(call.params, "amount_to_capture")
        return self._change(
            "payment_intent.succeeded", lambda: self.intents.capture(call.id, amount, call.key)
        )

    def _cancel(self, call: Call) -> Work:
        return self._change("payment_intent.canceled", lambda: self.intents.cancel(call.id, call.key))

    def _change(self, event: str, change: Callable[[], dict[str, Any]]) -> Work:
        def run() -> Reply:
            intent = change()
            self._announce(event, intent)
            return Reply(200, orjson.dumps(intent), intent["id"])

        return Work(run)

    def _refund(self, call: Call) -> Work:
        ident = text_of(call.params, "payment_intent", longest=100)
        amount = _optional_amount(call.params, "amount")

        def run() -> Reply:
            refund, intent = self.intents.refund(ident, amount, call.key)
            self._announce("charge.refunded", intent)
            return Reply(200, orjson.dumps(refund), refund["id"])

        return Work(run)

    def _refund_by_hand(self, call: Call) -> Work:
        ident = text_of(call.params, "payment_intent", longest=100)
        amount = _optional_amount(call.params, "amount")

        def run() -> Reply:
            refund, intent = self.intents.refund(ident, amount, None)
            self.webhooks.announce("charge.refunded", intent)
            return Reply(200, orjson.dumps(refund), refund["id"])

        return Work(run)

    def _dispute(self, call: Call) -> Work:
        ident = text_of(call.params, "payment_intent", longest=100)
        amount = _optional_amount(call.params, "amount")
        inquiry = call.params.get("inquiry") is True
        return self._disputed("charge.dispute.created", lambda: self.disputes.open(ident, amount, inquiry))

    def _decide(self, call: Call) -> Work:
        status = text_of(call.params, "status", longest=100)
        event = "charge.dispute.updated" if status == OPEN else "charge.dispute.closed"
        return self._disputed(event, lambda: self.disputes.close(call.id, status))

    def _disputed(self, event: str, change: Callable[[], dict[str, Any]]) -> Work:
        def run() -> Reply:
            dispute = change()
            self.webhooks.announce(event, dispute)
            return Reply(200, orjson.dumps(dispute), dispute["id"])

        return Work(run)

    def _list(self, request: web.Request) -> dict[str, Any]:
        if "key" in request.query:
            return {"object": "list", "data": self.intents.by_key(request.query["key"]), "has_more": False}
        return _page(request, lambda _, after, limit: self.intents.newest(after, limit))

    def _announce(self, event: str | None, intent: dict[str, Any]) -> None:
        if self._announce_all and event is not None:
            self.webhooks.announce(event, intent)


def _page(request: web.Request, newest: Callable[[str, str, int], list[dict[str, Any]]]) -> dict[str, Any]:
    """A page of a list: what `newest` finds of this payment intent (or of all), after this one, up to so many."""
    limit = request.query.get("limit", "10")
    if not limit.isdecimal() or not 1 <= int(limit) <= LIST_LIMIT:
        raise ApiError(400, f"limit is from 1 to {LIST_LIMIT}, not {limit!r}.", param="limit")
    query = request.query
    found = newest(query.get("payment_intent", ""), query.get("starting_after", ""), int(limit) + 1)
    return {"object": "list", "data": found[: int(limit)], "has_more": len(found) > int(limit)}


def _checked(params: dict[str, Any]) -> tuple[Order, Card]:
    amount = whole_number(params, "amount")
    currency = text_of(params, "currency")
    if not CURRENCY.fullmatch(currency):
        raise ApiError(
            400, f"Invalid currency: {currency}. It is an ISO code of 3 letters.", param="currency"
        )
    token = text_of(params, "payment_method")
    card = CARDS.get(token)
    if card is None:
        raise ApiError(
            400, f"No such payment_method: {token}.", code="resource_missing", param="payment_method"
        )
    capture = params.get("capture_method", "automatic")
    if capture not in ("automatic", "manual"):
        raise ApiError(
            400, f"capture_method is automatic or manual, not {capture!r}.", param="capture_method"
        )
    metadata = params.get("metadata") or {}
    if not isinstance(metadata, dict) or not all(isinstance(value, str) for value in metadata.values()):
        raise ApiError(400, "metadata is an object of texts.", param="metadata")
    return_url = params.get("return_url") or ""
    if not isinstance(return_url, str) or (return_url and not _is_web_address(return_url)):
        raise ApiError(400, "return_url is an absolute http or https address.", param="return_url")
    return Order(amount, currency, token, capture == "manual", metadata, return_url), card


def _is_web_address(url: str) -> bool:
    try:
        parts = urlsplit(url)
    except ValueError:
        return False
    return (
        parts.scheme in ("http", "https") and bool(parts.netloc) and not re.search(r"[\s;,'\"]", parts.netloc)
    )


def _optional_amount(params: dict[str, Any], name: str) -> int | None:
    return None if params.get(name) is None else whole_number(params, name)
