"""The mailbox's page: every e-mail and text message that the shop sent, newest first.

Text messages stay in the SMS gateway's ledger and are read from there each time, because a copy could differ. When the
gateway does not answer, the page says so and shows the mails.
"""

import time
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote, urlencode

import aiohttp
from aiohttp import web

from sandbox.faults import Faults
from sandbox.ledger import Ledger
from sandbox.mailbox.smtp import Reception
from sandbox.mailbox.store import Mail, Store
from sandbox.pages import page, problem, serve_assets
from sandbox.service import ApiError, Provider, answered, json_response, moment_of, page_of

KINDS: dict[str, dict[str, str]] = {"All": {}, "E-mail": {"kind": "email"}, "SMS": {"kind": "sms"}}
PAGE_SIZE = 50
API_LIMIT = 500
GATEWAY_ANSWERS_WITHIN = 2.0
# A mail's HTML may show images and its own styles; it may run nothing, send nothing and frame nothing.
# `sandbox` keeps it from our origin even when it is opened outside its frame.
MAIL_POLICY = (
    "sandbox allow-popups allow-popups-to-escape-sandbox; default-src 'none'; style-src 'unsafe-inline';"
    " img-src 'self' data: http: https:; font-src data:; form-action 'none'; frame-ancestors 'self'"
)


class Mailbox:
    """The pages and the JSON answers, made from the store and the SMS gateway."""

    def __init__(
        self, ledger: Ledger, faults: Faults, store: Store, reception: Reception, sms_url: str
    ) -> None:
        self._store = store
        self._reception = reception
        self._sms_url = sms_url.rstrip("/")
        self._session: aiohttp.ClientSession | None = None
        provider = Provider(
            "the mailbox", ledger, faults, entries=store.entries, faults_changed=reception.follow_faults
        )
        self.app = provider.app
        serve_assets(self.app)
        router = self.app.router
        router.add_get("/", self._list)
        router.add_get("/messages/{id}", self._show)
        router.add_get("/messages/{id}/html", self._html)
        router.add_get("/messages/{id}/source", self._source)
        router.add_get("/messages/{id}/parts/{part}", self._part)
        router.add_get("/api/messages", answered(self._api_list))
        router.add_get("/api/messages/{id}", answered(self._api_show))
        self.app.on_startup.append(self._open)
        self.app.on_cleanup.append(self._close)

    async def _open(self, _app: web.Application) -> None:
        timeout = aiohttp.ClientTimeout(total=GATEWAY_ANSWERS_WITHIN)
        self._session = aiohttp.ClientSession(timeout=timeout)
        await self._reception.follow_faults()

    async def _close(self, _app: web.Application) -> None:
        await self._reception.close()
        if self._session is not None:
            await self._session.close()

    async def _list(self, request: web.Request) -> web.Response:
        query = request.query
        try:
            messages, missing = await self._find(query, PAGE_SIZE + 1)
        except ApiError as error:
            return problem(400, "That page does not exist", str(error))
        more = len(messages) > PAGE_SIZE
        messages = messages[:PAGE_SIZE]
        kept = {name: query[name] for name in ("q", "kind", "to", "order") if query.get(name)}
        others = {name: value for name, value in kept.items() if name != "kind"}
        older = urlencode({**kept, "before": repr(messages[-1]["at"])}) if more else ""
        return page(
            "mailbox.html",
            messages=messages,
            missing=missing,
            older=older,
            first_page="before" not in query,
            kept=kept,
            kinds={title: urlencode({**others, **kind}) for title, kind in KINDS.items()},
            kind_title={"email": "E-mail", "sms": "SMS"}.get(query.get("kind", ""), "All"),
            live="live" in query,
            here=urlencode(kept),
            mails=self._store.count(),
            now=time.time(),
        )

    async def _show(self, request: web.Request) -> web.Response:
        ident = request.match_info["id"]
        if ident.startswith("sm_"):
            message, missing = await self._sms(ident)
            if message is not None:
                return page("sms.html", message=message)
            return problem(404, "No such message", missing or f"There is no text message {ident}.")
        mail = self._store.read(ident)
        if mail is None:
            return problem(404, "No such message", f"There is no e-mail {ident}.")
        views = [name for name, there in (("html", mail.html), ("text", mail.text)) if there] + ["headers"]
        view = request.query.get("view", views[0])
        return page(
            "message.html",
            message=mail.summary,
            mail=mail,
            headers=mail.headers if view == "headers" else [],
            views=views,
            view=view if view in views else views[0],
        )

    async def _html(self, request: web.Request) -> web.Response:
        mail = self._mail(request)
        html = mail.html_for_display(f"/messages/{mail.summary['id']}/parts")
        headers = {"Content-Security-Policy": MAIL_POLICY, "Referrer-Policy": "no-referrer"}
        return web.Response(text=html, content_type="text/html", headers=headers)

    async def _source(self, request: web.Request) -> web.Response:
        headers = {"X-Content-Type-Options": "nosniff"}
        return web.Response(body=self._mail(request).raw, content_type="text/plain", headers=headers)

    async def _part(self, request: web.Request) -> web.Response:
        number = request.match_info["part"]
        part = self._mail(request).part(int(number)) if number.isdecimal() else None
        if part is None:
            raise web.HTTPNotFound(text=f"This mail has no part {number}.")
        name, media_type, content = part
        # An image may be shown in the mail; whatever else it says it is, it is a file to save.
        image = media_type.startswith("image/") and media_type != "image/svg+xml"
        disposition = "inline" if image else "attachment"
        headers = {
            "Content-Disposition": f"{disposition}; filename*=UTF-8''{quote(name)}",
            "Content-Type": media_type,
            "Content-Security-Policy": "sandbox; default-src 'none'",
            "X-Content-Type-Options": "nosniff",
        }
        return web.Response(body=content, headers=headers)

    async def _api_list(self, request: web.Request) -> web.Response:
        limit = min(page_of(request.query)[1], API_LIMIT)
        messages, missing = await self._find(request.query, limit)
        return json_response({"messages": messages[:limit], "problem": missing or None})

    async def _api_show(self, request: web.Request) -> web.Response:
        ident, missing = request.match_info["id"], ""
        if ident.startswith("sm_"):
            message, missing = await self._sms(ident)
            if message is not None:
                return json_response(message)
        elif mail := self._store.read(ident):
            parts = {name: getattr(mail, name) for name in ("headers", "text", "html", "attachments")}
            return json_response({**mail.summary, **parts})
        raise ApiError(404, missing or f"No such message: {ident}.", code="resource_missing")

    async def _find(self, query: Mapping[str, str], limit: int) -> tuple[list[dict[str, Any]], str]:
        """Both kinds of message, sorted by time; and a sentence that says what is missing, if anything is."""
        wanted = {name: query.get(name, "").strip() for name in ("to", "order", "q")}
        before, kind = moment_of(query), query.get("kind", "")
        found: list[dict[str, Any]] = []
        missing = ""
        if kind != "sms":
            found += await self._store.newest(**wanted, before=before, limit=limit)
        if kind != "email":
            texts, missing = await self._texts({**wanted, "before": query.get("before", "")}, limit)
            found += texts
        found.sort(key=lambda message: float(message["at"]), reverse=True)
        return found[:limit], missing

    async def _texts(self, wanted: dict[str, str], limit: int) -> tuple[list[dict[str, Any]], str]:
        answer, missing = await self._ask("/v1/messages", {**wanted, "limit": str(limit)})
        return ([] if answer is None else [_from_gateway(row) for row in answer["data"]]), missing

    async def _sms(self, ident: str) -> tuple[dict[str, Any] | None, str]:
        answer, missing = await self._ask(f"/v1/messages/{quote(ident)}", {})
        return (None if answer is None else _from_gateway(answer)), missing

    async def _ask(self, path: str, query: dict[str, str]) -> tuple[Any, str]:
        if not self._sms_url or self._session is None:
            return None, ""
        try:
            async with self._session.get(self._sms_url + path, params=query) as response:
                if response.status == 200:
                    return await response.json(), ""
                return None, "" if response.status == 404 else f"The SMS gateway answered {response.status}."
        except (aiohttp.ClientError, TimeoutError):
            return None, f"The SMS gateway at {self._sms_url} does not answer; its messages are not shown."

    def _mail(self, request: web.Request) -> Mail:
        mail = self._store.read(request.match_info["id"])
        if mail is None:
            raise web.HTTPNotFound(text="There is no such e-mail.")
        return mail


def _from_gateway(row: dict[str, Any]) -> dict[str, Any]:
    return {
        "id": row["id"],
        "kind": "sms",
        "at": row["at"],
        "from": "",
        "to": [row["to"]],
        "subject": row["body"],
        "text": row["body"],
        "order": row["order"],
        "message_id": row["key"] or row["id"],
        "repeats": 0,
    }
