"""The SMS gateway: takes messages, keeps them, and lets the mailbox page show them.

`+15005550001` is refused as a bad number, as it is with Twilio's test credentials.
"""

import re
import sqlite3
import time
from typing import Any

import orjson
from aiohttp import web

from sandbox.faults import Faults
from sandbox.ids import new_id
from sandbox.ledger import Ledger
from sandbox.service import (
    ApiError,
    Call,
    Provider,
    Reply,
    Work,
    arguments,
    moment_of,
    page_of,
    run,
    text_of,
)

SCHEMA = """
CREATE TABLE IF NOT EXISTS messages (
    id TEXT PRIMARY KEY,
    key TEXT,
    "to" TEXT NOT NULL,
    body TEXT NOT NULL,
    "order" TEXT NOT NULL,
    at REAL NOT NULL
) WITHOUT ROWID;
"""
# One message.
INSERT = 'INSERT INTO messages (id, key, "to", body, "order", at) VALUES (?, ?, ?, ?, ?, ?)'
# The message that was sent under a key.
BY_KEY = "SELECT m.* FROM idempotency k JOIN messages m ON m.id = k.object WHERE k.key = ?"
# The messages that the mailbox page asks for, newest first.
NEWEST = """
SELECT * FROM messages
WHERE (:to = '' OR "to" = :to) AND (:order = '' OR "order" = :order)
  AND (:q = '' OR instr(lower("to" || ' ' || body || ' ' || "order"), lower(:q)))
  AND (:before IS NULL OR at < :before)
ORDER BY id DESC LIMIT :limit
"""

NUMBER = re.compile(r"\+?[0-9][0-9 ()./-]{4,22}[0-9]")
REFUSED_NUMBER = "+15005550001"


class Sms:
    """The gateway's calls over its ledger."""

    def __init__(self, ledger: Ledger, faults: Faults) -> None:
        self.ledger = ledger
        provider = Provider("the SMS gateway", ledger, faults)
        provider.post("/v1/messages", self._send)
        provider.get("/v1/messages", self._list)
        provider.get("/v1/messages/{id}", self._show)
        self.app = provider.app

    def _send(self, call: Call) -> Work:
        to = text_of(call.params, "to")
        body = text_of(call.params, "body", longest=1600)
        order = text_of(call.params, "order", required=False, longest=100)
        if not NUMBER.fullmatch(to) or to.replace(" ", "") == REFUSED_NUMBER:
            raise ApiError(
                400, f"The number {to} is not one that can be sent to.", code="invalid_number", param="to"
            )

        def run() -> Reply:
            ident, now = new_id("sm"), time.time()
            self.ledger.db.execute(INSERT, (ident, call.key, to, body, order, now))
            self.ledger.enter("sent", ref=ident, key=call.key, order=order, to=to)
            return Reply(201, orjson.dumps({"id": ident, "status": "sent", "to": to, "created": now}), ident)

        return Work(run)

    def _list(self, request: web.Request) -> dict[str, Any]:
        query = request.query
        if "key" in query:
            row = self.ledger.row(BY_KEY, (query["key"],))
            return {"data": [] if row is None else [_shown(row)]}
        _, limit = page_of(query)
        wanted = {name: query.get(name, "") for name in ("to", "order", "q")}
        rows = self.ledger.db.execute(NEWEST, {**wanted, "before": moment_of(query), "limit": limit})
        return {"data": [_shown(row) for row in rows]}

    def _show(self, request: web.Request) -> dict[str, Any]:
        ident = request.match_info["id"]
        row = self.ledger.row("SELECT * FROM messages WHERE id = ?", (ident,))
        if row is None:
            raise ApiError(404, f"No such message: {ident}.", code="resource_missing", param="id")
        return _shown(row)


def _shown(row: sqlite3.Row) -> dict[str, Any]:
    return {**dict(row), "status": "sent"}


if __name__ == "__main__":
    options = arguments("sms", 8007).parse_args()
    run("sms", options, SCHEMA, lambda ledger, faults, _options: Sms(ledger, faults).app)
