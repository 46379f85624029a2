"""Payment intents and refunds as rows: the states they pass through, and the effects each step leaves.

An intent's life, as at Stripe::

    created -> succeeded                                  automatic capture
            -> requires_capture -> succeeded | canceled   manual capture
            -> requires_action  -> either of the above, or requires_payment_method, or canceled
            -> requires_payment_method -> canceled        declined

Each function runs inside the ledger's transaction and raises `ApiError` before its first write only.
Amounts are in the currency's minor unit.
"""

import sqlite3
import time
from typing import Any, NamedTuple

import orjson

from sandbox.ids import new_id
from sandbox.ledger import Ledger
from sandbox.payments.cards import Card, Decline
from sandbox.service import ApiError

SCHEMA = """
CREATE TABLE IF NOT EXISTS intents (
    id TEXT PRIMARY KEY,
    key TEXT,
    status TEXT NOT NULL,
    amount INTEGER NOT NULL,
    currency TEXT NOT NULL,
    capture_method TEXT NOT NULL,
    payment_method TEXT NOT NULL,
    amount_received INTEGER NOT NULL DEFAULT 0,
    amount_refunded INTEGER NOT NULL DEFAULT 0,
    error TEXT,
    metadata TEXT NOT NULL,
    return_url TEXT NOT NULL,
    created INTEGER NOT NULL
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS refunds (
    id TEXT PRIMARY KEY,
    intent TEXT NOT NULL REFERENCES intents (id),
    amount INTEGER NOT NULL,
    created INTEGER NOT NULL
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS refunds_by_intent ON refunds (intent);
CREATE TABLE IF NOT EXISTS refund_keys (
    refund TEXT PRIMARY KEY,
    key TEXT NOT NULL
) WITHOUT ROWID;
"""
# A new intent.
INSERT = """
INSERT INTO intents (id, key, status, amount, currency, capture_method, payment_method, amount_received, error,
                     metadata, return_url, created)
VALUES (:id, :key, :status, :amount, :currency, :capture_method, :payment_method, :amount_received, :error,
        :metadata, :return_url, :created)
RETURNING *
"""
# What a call changes of an intent; the rest is written as it was.
CHANGE = """
UPDATE intents
SET status = :status, amount_received = :amount_received, amount_refunded = :amount_refunded, error = :error
WHERE id = :id RETURNING *
"""
# One intent.
BY_ID = "SELECT * FROM intents WHERE id = ?"
# The intent that was created under a key.
BY_KEY = "SELECT i.* FROM idempotency k JOIN intents i ON i.id = k.object AND i.key = k.key WHERE k.key = ?"
# A page of the list of intents.
NEWEST = "SELECT * FROM intents WHERE (?1 = '' OR id < ?1) ORDER BY id DESC LIMIT ?2"
# A page of an intent's refunds, or of all where no intent is named, newest first.
REFUNDS = """
SELECT r.id, r.intent AS payment_intent, r.amount, r.created, i.currency, k.key
FROM refunds r JOIN intents i ON i.id = r.intent LEFT JOIN refund_keys k ON k.refund = r.id
WHERE (?1 = '' OR r.intent = ?1) AND (?2 = '' OR r.id < ?2) ORDER BY r.id DESC LIMIT ?3
"""
# What is disputed of an intent, or was and is lost.
DISPUTED = (
    "SELECT coalesce(sum(amount), 0) FROM disputes WHERE intent = ? AND status IN ('needs_response', 'lost')"
)

CANCELLABLE = ("requires_capture", "requires_action", "requires_payment_method")
AUTHENTICATION_FAILED = {
    "type": "card_error",
    "code": "payment_intent_authentication_failure",
    "message": "The card's holder did not confirm the payment.",
}


class Order(NamedTuple):
    """What a merchant asks for, already checked."""

    amount: int
    currency: str
    payment_method: str
    manual: bool
    metadata: dict[str, str]
    return_url: str


class Intents:
    """The intents of one ledger."""

    def __init__(self, ledger: Ledger, public_url: str) -> None:
        self._ledger = ledger
        self._public_url = public_url

    def create(self, asked: Order, card: Card, key: str | None) -> dict[str, Any]:
        """Make an intent and confirm it with the card; a decline is in its `last_payment_error`."""
        effect, changes = _paid(asked.amount, asked.manual)
        if card.decline is not None:
            effect, changes = "declined", _refused(_declined(card.decline))
        elif card.needs_authentication:
            effect, changes = "", {"status": "requires_action"}
        [row] = self._ledger.db.execute(
            INSERT,
            {
                "id": new_id("pi"),
                "key": key,
                "amount": asked.amount,
                "currency": asked.currency,
                "capture_method": "manual" if asked.manual else "automatic",
                "payment_method": asked.payment_method,
                "amount_received": 0,
                "error": None,
                "metadata": orjson.dumps(asked.metadata).decode(),
                "return_url": asked.return_url,
                "created": int(time.time()),
                **changes,
            },
        )
        if effect:
            self._enter(effect, row, key, asked.amount)
        return self.show(row)

    def capture(self, ident: str, amount: int | None, key: str | None) -> dict[str, Any]:
        """Take what was authorised, or `amount` of it."""
        row = self._expect(ident, ("requires_capture",), "captured")
        amount = row["amount"] if amount is None else amount
        if amount > row["amount"]:
            raise ApiError(
                400,
                f"{amount} is more than the {row['amount']} that {ident} holds.",
                code="amount_too_large",
                param="amount_to_capture",
            )
        self._enter("captured", row, key, amount)
        return self._change(row, status="succeeded", amount_received=amount)

    def cancel(self, ident: str, key: str | None) -> dict[str, Any]:
        """Give up an intent that took no money, and release what it holds."""
        row = self._expect(ident, CANCELLABLE, "cancelled")
        if row["status"] == "requires_capture":
            self._enter("voided", row, key, row["amount"])
        return self._change(row, status="canceled")

    def refund(
        self, ident: str, amount: int | None, key: str | None
    ) -> tuple[dict[str, Any], dict[str, Any]]:
        """Give money back, all that is left unless `amount` says less; the refund and its intent."""
        row = self._expect(ident, ("succeeded",), "refunded")
        left, disputed = self.left(row), self.disputed(row)
        amount = left if amount is None else amount
        if not 0 < amount <= left:
            said = f", {disputed} is disputed" if disputed else ""
            raise ApiError(
                400,
                f"{amount} cannot be refunded: {left} of {row['amount_received']} is left of {ident}{said}.",
                code="charge_already_refunded" if left == 0 else "amount_too_large",
                param="amount",
            )
        refund, created = new_id("re"), int(time.time())
        self._ledger.db.execute("INSERT INTO refunds VALUES (?, ?, ?, ?)", (refund, ident, amount, created))
        if key is not None:
            self._ledger.db.execute("INSERT INTO refund_keys VALUES (?, ?)", (refund, key))
        self._enter("refunded", row, key, amount, object=refund)
        intent = self._change(row, amount_refunded=row["amount_refunded"] + amount)
        [shown] = self.refunds(ident, "", 1)
        return shown, intent

    def refunds(self, ident: str, starting_after: str, limit: int) -> list[dict[str, Any]]:
        """Refunds, newest first, of one intent or of all; older than `starting_after` where it is not empty."""
        if ident:
            self.row(ident)
        return [
            {"object": "refund", "status": "succeeded", **dict(row)}
            for row in self._ledger.db.execute(REFUNDS, (ident, starting_after, limit))
        ]

    def left(self, row: sqlite3.Row) -> int:
        """What the merchant still has of an intent: neither refunded nor taken back by a bank."""
        return int(row["amount_received"] - row["amount_refunded"]) - self.disputed(row)

    def disputed(self, row: sqlite3.Row) -> int:
        """What a bank has taken back of an intent."""
        return int(self._ledger.db.execute(DISPUTED, (row["id"],)).fetchone()[0])

    def authenticate(self, ident: str, confirmed: bool) -> dict[str, Any] | None:
        """Settle an intent that waits for the card's holder; None if it no longer waits."""
        row = self._ledger.row(BY_ID, (ident,))
        if row is None or row["status"] != "requires_action":
            return None
        effect, changes = _paid(row["amount"], row["capture_method"] == "manual")
        if not confirmed:
            effect, changes = "declined", _refused(AUTHENTICATION_FAILED)
        self._enter(effect, row, row["key"], row["amount"])
        return self._change(row, **changes)

    def get(self, ident: str) -> dict[str, Any]:
        """One intent as the API shows it."""
        return self.show(self.row(ident))

    def row(self, ident: str) -> sqlite3.Row:
        """One intent's row, or the refusal that there is none."""
        row = self._ledger.row(BY_ID, (ident,))
        if row is None:
            raise ApiError(404, f"No such payment_intent: {ident}.", code="resource_missing", param="id")
        return row

    def by_key(self, key: str) -> list[dict[str, Any]]:
        """The intent that was created under this idempotency key, as a list of one or none."""
        row = self._ledger.row(BY_KEY, (key,))
        return [] if row is None else [self.show(row)]

    def newest(self, starting_after: str, limit: int) -> list[dict[str, Any]]:
        """Intents, newest first, older than `starting_after` where it is not empty."""
        return [self.show(row) for row in self._ledger.db.execute(NEWEST, (starting_after, limit))]

    def show(self, row: sqlite3.Row) -> dict[str, Any]:
        """A row as the API shows it."""
        ident, status = row["id"], row["status"]
        redirect = {"type": "redirect_to_url", "redirect_to_url": {"url": f"{self._public_url}/3ds/{ident}"}}
        return {
            "id": ident,
            "object": "payment_intent",
            "status": status,
            "amount": row["amount"],
            "currency": row["currency"],
            "amount_capturable": row["amount"] if status == "requires_capture" else 0,
            "amount_received": row["amount_received"],
            "amount_refunded": row["amount_refunded"],
            "capture_method": row["capture_method"],
            "payment_method": row["payment_method"],
            "next_action": redirect if status == "requires_action" else None,
            "last_payment_error": orjson.loads(row["error"]) if row["error"] else None,
            "metadata": orjson.loads(row["metadata"]),
            "created": row["created"],
        }

    def _expect(self, ident: str, statuses: tuple[str, ...], done: str) -> sqlite3.Row:
        row = self.row(ident)
        if row["status"] not in statuses:
            raise ApiError(
                400,
                f"{ident} cannot be {done}: its status is {row['status']}, not {' or '.join(statuses)}.",
                code="payment_intent_unexpected_state",
            )
        return row

    def _change(self, row: sqlite3.Row, **changes: object) -> dict[str, Any]:
        [changed] = self._ledger.db.execute(CHANGE, {**dict(row), **changes})
        return self.show(changed)

    def _enter(
        self, kind: str, row: sqlite3.Row, key: str | None, amount: int, object: str | None = None
    ) -> None:
        self._ledger.enter(
            kind,
            ref=row["id"],
            object=object,
            key=key,
            order=orjson.loads(row["metadata"]).get("order"),
            amount=amount,
            currency=row["currency"],
        )


def _paid(amount: int, manual: bool) -> tuple[str, dict[str, object]]:
    """What a card that pays does to an intent: the effect, and the columns that change."""
    if manual:
        return "authorised", {"status": "requires_capture"}
    return "captured", {"status": "succeeded", "amount_received": amount}


def _refused(error: dict[str, str]) -> dict[str, object]:
    return {"status": "requires_payment_method", "error": orjson.dumps(error).decode()}


def _declined(decline: Decline) -> dict[str, str]:
    return {
        "type": "card_error",
        "code": "card_declined",
        "decline_code": decline.code,
        "message": decline.message,
    }
