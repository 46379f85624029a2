"""Disputes: the buyer's bank takes a charge back, or asks about it, and decides in the end who keeps the money.

As at Stripe (https://docs.stripe.com/disputes/how-disputes-work) the merchant hears of one by webhook, the amount is
gone while it is open, and what is disputed cannot be refunded::

    needs_response         -> won (the merchant has the money again) | lost
    warning_needs_response -> warning_closed | needs_response           the bank only asks, no money has moved

Each function runs inside the ledger's transaction and raises `ApiError` before its first write only.
"""

import sqlite3
import time
from typing import Any

import orjson

from sandbox.ids import new_id
from sandbox.ledger import Ledger
from sandbox.payments.intents import Intents
from sandbox.service import ApiError

SCHEMA = """
CREATE TABLE IF NOT EXISTS disputes (
    id TEXT PRIMARY KEY,
    intent TEXT NOT NULL REFERENCES intents (id),
    amount INTEGER NOT NULL,
    status TEXT NOT NULL,
    created INTEGER NOT NULL
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS disputes_by_intent ON disputes (intent);
"""
# Disputes with their charge's currency and order.
SHOWN = "SELECT d.*, i.currency, i.metadata FROM disputes d JOIN intents i ON i.id = d.intent"
# One dispute.
BY_ID = f"{SHOWN} WHERE d.id = ?"
# A page of an intent's disputes, or of all where no intent is named, newest first.
NEWEST = f"""
{SHOWN} WHERE (?1 = '' OR d.intent = ?1) AND (?2 = '' OR d.id < ?2) ORDER BY d.id DESC LIMIT ?3
"""

ASKED, OPEN = "warning_needs_response", "needs_response"
# What a dispute may become, and the effect that it leaves in the ledger.
MOVES = {
    (OPEN, "won"): "dispute_won",
    (OPEN, "lost"): "dispute_lost",
    (ASKED, "warning_closed"): "",
    (ASKED, OPEN): "disputed",
}


class Disputes:
    """The disputes of one ledger."""

    def __init__(self, ledger: Ledger, intents: Intents) -> None:
        self._ledger = ledger
        self._intents = intents

    def open(self, ident: str, amount: int | None, inquiry: bool) -> dict[str, Any]:
        """The bank disputes a charge, all that is left of it unless `amount` says less; or asks about it."""
        left = self._intents.left(self._intents.row(ident))
        amount = left if amount is None else amount
        if not 0 < amount <= left:
            raise ApiError(400, f"{amount} cannot be disputed: {left} is left of {ident}.", param="amount")
        dispute, status = new_id("dp"), ASKED if inquiry else OPEN
        self._ledger.db.execute(
            "INSERT INTO disputes VALUES (?, ?, ?, ?, ?)", (dispute, ident, amount, status, int(time.time()))
        )
        row = self.row(dispute)
        if not inquiry:
            self._enter("disputed", row)
        return show(row)

    def close(self, ident: str, status: str) -> dict[str, Any]:
        """The bank has decided: what the dispute becomes."""
        row = self.row(ident)
        if (row["status"], status) not in MOVES:
            raise ApiError(400, f"{ident} is {row['status']} and cannot become {status}.", param="status")
        self._ledger.db.execute("UPDATE disputes SET status = ? WHERE id = ?", (status, ident))
        if effect := MOVES[row["status"], status]:
            self._enter(effect, row)
        return show(self.row(ident))

    def row(self, ident: str) -> sqlite3.Row:
        """One dispute's row, or the refusal that there is none."""
        row = self._ledger.row(BY_ID, (ident,))
        if row is None:
            raise ApiError(404, f"No such dispute: {ident}.", code="resource_missing", param="id")
        return row

    def newest(self, intent: str, starting_after: str, limit: int) -> list[dict[str, Any]]:
        """Disputes, newest first, of one intent or of all; older than `starting_after` where it is not empty."""
        return [show(row) for row in self._ledger.db.execute(NEWEST, (intent, starting_after, limit))]

    def _enter(self, kind: str, row: sqlite3.Row) -> None:
        self._ledger.enter(
            kind,
            ref=row["intent"],
            object=row["id"],
            order=orjson.loads(row["metadata"]).get("order"),
            amount=row["amount"],
            currency=row["currency"],
        )


def show(row: sqlite3.Row) -> dict[str, Any]:
    """A row as the API shows it."""
    return {
        "id": row["id"],
        "object": "dispute",
        "payment_intent": row["intent"],
        "amount": row["amount"],
        "currency": row["currency"],
        "status": row["status"],
        "created": row["created"],
    }
