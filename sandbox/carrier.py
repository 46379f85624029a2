"""The carrier: books a parcel, names its tracking number, and shows on a page of its own where it is."""

import secrets
import sqlite3
import time
from typing import Any

import orjson
from aiohttp import web

from sandbox.faults import Faults
from sandbox.ids import new_id
from sandbox.ledger import Ledger
from sandbox.pages import page, problem, serve_assets
from sandbox.service import (
    ApiError,
    Call,
    Provider,
    Reply,
    Work,
    arguments,
    run,
    text_of,
    whole_number,
)

SCHEMA = """
CREATE TABLE IF NOT EXISTS shipments (
    id TEXT PRIMARY KEY,
    key TEXT,
    tracking_number TEXT NOT NULL UNIQUE,
    "order" TEXT NOT NULL,
    name TEXT NOT NULL,
    city TEXT NOT NULL,
    postcode TEXT NOT NULL,
    country TEXT NOT NULL,
    lines INTEGER NOT NULL,
    weight_g INTEGER NOT NULL,
    at REAL NOT NULL
) WITHOUT ROWID;
"""
# One booking.
INSERT = "INSERT INTO shipments VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) RETURNING *"
# The shipment that was booked under a key.
BY_KEY = "SELECT s.* FROM idempotency k JOIN shipments s ON s.id = k.object WHERE k.key = ?"
# The shipment of the tracking page.
BY_NUMBER = "SELECT * FROM shipments WHERE tracking_number = ?"
NAME = "Parcel Sandbox"

# What happens to a parcel, and how many seconds after it was booked: a demo shows the whole journey in a minute.
JOURNEY = (
    (0, "Booked", "The sender told us about the parcel."),
    (10, "Collected", "Our driver has the parcel."),
    (30, "On its way", "The parcel left the depot."),
    (60, "Delivered", "The parcel was handed over."),
)


class Carrier:
    """The carrier's calls over its ledger, and the tracking page."""

    def __init__(self, ledger: Ledger, faults: Faults, public_url: str) -> None:
        self.ledger = ledger
        self._public_url = public_url
        provider = Provider("the carrier", ledger, faults)
        provider.post("/v1/shipments", self._book)
        provider.get("/v1/shipments", self._list)
        self.app = provider.app
        serve_assets(self.app)
        self.app.router.add_get("/track/{number}", self._track)

    def _book(self, call: Call) -> Work:
        order = text_of(call.params, "order", longest=100)
        address = call.params.get("address")
        if not isinstance(address, dict):
            raise ApiError(400, "address must be an object.", param="address")
        name, city, country = (text_of(address, part, longest=200) for part in ("name", "city", "country"))
        # An empty postcode says that the country has none.
        postcode = "" if address.get("postcode") == "" else text_of(address, "postcode", longest=200)
        lines = whole_number(call.params, "lines")
        weight = whole_number(call.params, "weight_g", least=0) if "weight_g" in call.params else 0

        def run() -> Reply:
            ident, number, now = new_id("shp"), f"PS{secrets.randbelow(10**12):012d}GB", time.time()
            values = (ident, call.key, number, order, name, city, postcode, country, lines, weight, now)
            [row] = self.ledger.db.execute(INSERT, values)
            self.ledger.enter("booked", ref=ident, key=call.key, order=order, to=postcode)
            return Reply(201, orjson.dumps(self._shown(row)), ident)

        return Work(run)

    def _list(self, request: web.Request) -> dict[str, Any]:
        if "key" not in request.query:
            raise ApiError(400, "Say which shipment: ?key=IDEMPOTENCY_KEY.", param="key")
        row = self.ledger.row(BY_KEY, (request.query["key"],))
        return {"data": [] if row is None else [self._shown(row)]}

    def _shown(self, row: sqlite3.Row) -> dict[str, Any]:
        return {
            "id": row["id"],
            "carrier": NAME,
            "tracking_number": row["tracking_number"],
            "tracking_url": f"{self._public_url}/track/{row['tracking_number']}",
            "order": row["order"],
            "created": row["at"],
        }

    async def _track(self, request: web.Request) -> web.Response:
        number = request.match_info["number"]
        row = self.ledger.row(BY_NUMBER, (number,))
        if row is None:
            return problem(404, "No such parcel", f"We know of no parcel with the number {number}.")
        return page("tracking.html", carrier=NAME, parcel=row, steps=_steps(row), now=time.time())


def _steps(row: sqlite3.Row) -> list[dict[str, Any]]:
    age = time.time() - row["at"]
    reached = sum(after <= age for after, _, _ in JOURNEY)
    return [
        {"title": title, "text": text, "at": row["at"] + after, "done": i < reached, "now": i == reached - 1}
        for i, (after, title, text) in enumerate(JOURNEY)
    ]


if __name__ == "__main__":
    run(
        "carrier",
        arguments("carrier", 8008, has_pages=True).parse_args(),
        SCHEMA,
        lambda ledger, faults, options: Carrier(ledger, faults, options.public_url).app,
    )
