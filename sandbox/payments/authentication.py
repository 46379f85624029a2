"""The bank's page: where the holder of a card confirms a payment, or does not (3-D Secure).

It works without JavaScript: a form with two buttons. The decision happens outside the merchant's calls, so the merchant
is told by webhook. At the same time the holder is sent back to `return_url`, and may arrive there first.
"""

from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

import orjson
from aiohttp import web

from sandbox.ledger import Ledger
from sandbox.pages import money, page, problem, serve_assets
from sandbox.payments.intents import Intents
from sandbox.payments.webhooks import Webhooks
from sandbox.service import ApiError

EVENT_OF_STATUS = {
    "succeeded": "payment_intent.succeeded",
    "requires_capture": "payment_intent.amount_capturable_updated",
    "requires_payment_method": "payment_intent.payment_failed",
}


class Authentication:
    """The page, and the settling of an intent by it."""

    def __init__(self, ledger: Ledger, intents: Intents, webhooks: Webhooks) -> None:
        self._ledger = ledger
        self._intents = intents
        self._webhooks = webhooks

    def add_to(self, app: web.Application) -> None:
        """Add the page's routes to the provider's app."""
        serve_assets(app)
        app.router.add_get("/3ds/{id}", self.show)
        app.router.add_post("/3ds/{id}", self.decide)

    async def show(self, request: web.Request) -> web.StreamResponse:
        """The question, or what was answered before."""
        try:
            row = self._intents.row(request.match_info["id"])
        except ApiError as error:
            return problem(404, "No such payment", str(error))
        intent = self._intents.show(row)
        return_url = row["return_url"]
        return page(
            "bank.html",
            # A form may post to us, and the answer may redirect to the shop; browsers hold the rule
            # against both.
            form_action=f"'self' {_origin(return_url)}".strip(),
            intent=intent,
            order=orjson.loads(row["metadata"]).get("order"),
            amount=money(intent["amount"], intent["currency"]),
            back=_back(return_url, intent) if return_url else "",
            shop=urlsplit(return_url).netloc,
        )

    async def decide(self, request: web.Request) -> web.StreamResponse:
        """Settle the intent once; a second press changes nothing and lands on the same page."""
        ident = request.match_info["id"]
        outcome = (await request.post()).get("outcome")
        if outcome not in ("complete", "fail"):
            return problem(400, "Nothing was decided", "Go back and press one of the two buttons.")

        def settle() -> None:
            intent = self._intents.authenticate(ident, confirmed=outcome == "complete")
            if intent is not None:
                self._webhooks.announce(EVENT_OF_STATUS[intent["status"]], intent)

        await self._ledger.transact(settle)
        try:
            row = self._intents.row(ident)
        except ApiError as error:
            return problem(404, "No such payment", str(error))
        return_url = row["return_url"]
        target = _back(return_url, self._intents.show(row)) if return_url else f"/3ds/{ident}"
        return web.Response(status=303, headers={"Location": target})


def _back(return_url: str, intent: dict[str, Any]) -> str:
    """The merchant's page, with the payment and its result in the query, as Stripe adds them."""
    parts = urlsplit(return_url)
    failed = intent["status"] in ("requires_payment_method", "canceled")
    query = [
        *parse_qsl(parts.query, keep_blank_values=True),
        ("payment_intent", intent["id"]),
        ("redirect_status", "failed" if failed else "succeeded"),
    ]
    return urlunsplit(parts._replace(query=urlencode(query)))


def _origin(url: str) -> str:
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}" if parts.netloc else ""
