"""The mails that arrived: each is kept once, can be searched, and is parsed only when somebody opens it.

The Message-ID is the key. A mail that comes again is accepted and counted, so that its sender stops trying, but it is
not kept twice. Mail stores with duplicate suppression do the same. So it does no harm to send a mail again after a
crash.

Reception reads a few header lines and nothing else. To parse a mail costs a hundred times as much, and of the thousands
that a load test sends, a person opens three.
"""

import re
import sqlite3
import time
from collections.abc import Sequence
from email import message_from_bytes, policy
from email.errors import HeaderParseError, MessageError
from email.header import decode_header, make_header
from html import unescape
from typing import Any

from sandbox.ids import new_id
from sandbox.ledger import Ledger

SCHEMA = """
CREATE TABLE IF NOT EXISTS messages (
    seq INTEGER PRIMARY KEY,
    message_id TEXT NOT NULL UNIQUE,
    repeats INTEGER NOT NULL DEFAULT 0,
    sender TEXT NOT NULL,
    recipients TEXT NOT NULL,
    subject TEXT NOT NULL,
    "order" TEXT NOT NULL,
    at REAL NOT NULL,
    encoded INTEGER NOT NULL,
    text TEXT,
    raw BLOB NOT NULL
);
CREATE INDEX IF NOT EXISTS messages_order ON messages ("order") WHERE "order" <> '';
CREATE INDEX IF NOT EXISTS messages_unread ON messages (seq) WHERE encoded AND text IS NULL;
"""
# One mail, or one more repeat of a mail that is there.
INSERT = (
    'INSERT INTO messages (message_id, sender, recipients, subject, "order", at, encoded, raw)'
    " VALUES (?, ?, ?, ?, ?, ?, ?, ?)"
    " ON CONFLICT (message_id) DO UPDATE SET repeats = repeats + 1 RETURNING seq, repeats"
)
# One mail with its content, by its number.
READ = 'SELECT seq, message_id, repeats, sender, recipients, subject, "order", at, raw FROM messages WHERE seq = ?'
# The list of mails, newest first: the conditions of what is asked for come in between.
FIND = 'SELECT seq, message_id, repeats, sender, recipients, subject, "order", at FROM messages WHERE 1'
CONDITIONS = {
    "to": "AND instr(', ' || lower(recipients) || ',', ', ' || lower(:to) || ',')",
    "order": """AND "order" = :order AND "order" <> ''""",
    "before": "AND at < :before",
    "q": """AND instr(lower(sender || ' ' || recipients || ' ' || subject || ' ' || "order" || ' '
        || coalesce(text, CAST(raw AS TEXT))), lower(:q))""",
}
NEWEST = "ORDER BY seq DESC LIMIT :limit"
# A page of the ledger.
ENTRIES = """
SELECT e.*, m.repeats FROM entries e JOIN messages m ON m.message_id = e.key
WHERE e.seq > ? ORDER BY e.seq LIMIT ?
"""
# Mails whose text a search cannot read before it is decoded.
UNREAD = "SELECT seq, raw FROM messages WHERE encoded AND text IS NULL ORDER BY seq DESC LIMIT 500"

# A header's line and those that continue it. Folded lines begin with white space.
WANTED = re.compile(
    rb"^(message-id|subject|x-order):[ \t]*(.*(?:\r?\n[ \t].*)*)", re.IGNORECASE | re.MULTILINE
)
FOLD = re.compile(r"\r?\n[ \t]+")
ENCODED = re.compile(
    rb"^content-transfer-encoding:\s*(?:base64|quoted-printable)", re.IGNORECASE | re.MULTILINE
)
TAG = re.compile(r"<(?:style|script)\b.*?</(?:style|script)>|<[^>]*>", re.IGNORECASE | re.DOTALL)


class Store:
    """The mails of one ledger."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger

    async def deliver(self, sender: str, recipients: Sequence[str], raw: bytes) -> tuple[str, bool]:
        """Keep a mail durably; its id, and whether it was new."""
        end = raw.find(b"\r\n\r\n")
        found = {name.lower(): value for name, value in WANTED.findall(raw[:end] if end >= 0 else raw)}
        # Without a Message-ID there is nothing to recognise a repeat by, so each one counts as new.
        key = _unfolded(found.get(b"message-id", b"")) or f"<{new_id('none')}@mailbox>"
        order = _unfolded(found.get(b"x-order", b""))
        subject = _decoded(_unfolded(found.get(b"subject", b"")))
        encoded = ENCODED.search(raw) is not None
        to = ", ".join(recipients)

        def keep() -> tuple[str, bool]:
            values = (key, sender, to, subject, order, time.time(), encoded, raw)
            seq, repeats = self._ledger.db.execute(INSERT, values).fetchall()[0]
            ident = f"em_{seq}"
            if not repeats:
                self._ledger.enter("delivered", ref=ident, key=key, order=order or None, to=to)
            return ident, not repeats

        return await self._ledger.transact(keep)

    def entries(self, after: int, limit: int) -> list[dict[str, Any]]:
        """The ledger's entries, each with how often the same mail came again."""
        return [dict(row) for row in self._ledger.db.execute(ENTRIES, (after, limit))]

    def count(self) -> int:
        """How many mails there are; none is ever deleted."""
        return int(self._ledger.db.execute("SELECT coalesce(max(seq), 0) FROM messages").fetchone()[0])

    async def newest(
        self, *, to: str = "", order: str = "", q: str = "", before: float | None = None, limit: int
    ) -> list[dict[str, Any]]:
        """Mails, newest first, that match all that is given; `q` is looked for in all of the text."""
        if q:
            await self._ledger.transact(self._read_encoded)
        given = {"to": to, "order": order, "before": before, "q": q}
        conditions = [CONDITIONS[name] for name, value in given.items() if value or value == 0]
        statement = " ".join([FIND, *conditions, NEWEST])
        return [_summary(row) for row in self._ledger.db.execute(statement, {**given, "limit": limit})]

    def read(self, ident: str) -> "Mail | None":
        """One mail, parsed; None if there is none with this id."""
        kind, _, number = ident.partition("_")
        if kind != "em" or not number.isdecimal() or len(number) > 18:
            return None
        row = self._ledger.row(READ, (int(number),))
        return None if row is None else Mail(_summary(row), row["raw"])

    def _read_encoded(self) -> None:
        """Decode mails for the search, a limited number at a time, newest first."""
        for row in self._ledger.db.execute(UNREAD).fetchall():
            mail = Mail({}, row["raw"])
            text = f"{mail.text} {unescape(TAG.sub(' ', mail.html))}"
            self._ledger.db.execute("UPDATE messages SET text = ? WHERE seq = ?", (text, row["seq"]))


class Mail:
    """One mail, parsed: its texts, and its other parts by number."""

    def __init__(self, summary: dict[str, Any], raw: bytes) -> None:
        self.summary = summary
        self.raw = raw
        self._message = message_from_bytes(raw, policy=policy.default)
        self._parts = [part for part in self._message.walk() if not part.is_multipart()]
        self.text = self._body("plain")
        self.html = self._body("html")

    @property
    def headers(self) -> list[tuple[str, str]]:
        """All headers, decoded, in their order."""
        try:
            return [(name, str(value)) for name, value in self._message.items()]
        except (MessageError, ValueError):
            return [("Problem", "These headers are malformed; see the source.")]

    @property
    def attachments(self) -> list[dict[str, Any]]:
        """The parts that are files: number, name, media type and size in bytes."""
        return [
            {
                "part": number,
                "name": part.get_filename() or f"part-{number}",
                "type": part.get_content_type(),
                "size": len(_bytes_of(part)),
            }
            for number, part in enumerate(self._parts)
            if part.get_filename() or part.get_content_disposition() == "attachment"
        ]

    def part(self, number: int) -> tuple[str, str, bytes] | None:
        """Name, media type and content of a part."""
        if not 0 <= number < len(self._parts):
            return None
        part = self._parts[number]
        return part.get_filename() or f"part-{number}", part.get_content_type(), _bytes_of(part)

    def html_for_display(self, parts_url: str) -> str:
        """The HTML with embedded images (`cid:`) replaced by links to their parts; its links open in new tabs."""
        html = self.html
        for number, part in enumerate(self._parts):
            if content_id := str(part.get("Content-ID", "")).strip().strip("<>"):
                html = html.replace(f"cid:{content_id}", f"{parts_url}/{number}")
        return f'<base target="_blank">{html}'

    def _body(self, subtype: str) -> str:
        if (part := self._message.get_body((subtype,))) is None:
            return ""
        try:
            text = _bytes_of(part).decode(part.get_content_charset("utf-8"), errors="replace")
        except LookupError:  # a character set that nobody knows
            text = _bytes_of(part).decode(errors="replace")
        return text.replace("\r\n", "\n")


def _bytes_of(part: Any) -> bytes:
    payload = part.get_payload(decode=True)
    return payload if isinstance(payload, bytes) else b""


def _unfolded(value: bytes) -> str:
    return FOLD.sub(" ", value.decode("utf-8", errors="replace")).strip()


def _decoded(value: str) -> str:
    """RFC 2047 words as text; only where there are any, because decoding costs more than all the rest."""
    if "=?" not in value:
        return value
    try:
        return str(make_header(decode_header(value)))
    except (HeaderParseError, LookupError, UnicodeDecodeError, ValueError):
        return value


def _summary(row: sqlite3.Row) -> dict[str, Any]:
    return {
        "id": f"em_{row['seq']}",
        "kind": "email",
        "at": row["at"],
        "from": row["sender"],
        "to": row["recipients"].split(", "),
        "subject": row["subject"],
        "order": row["order"],
        "message_id": row["message_id"],
        "repeats": row["repeats"],
    }
