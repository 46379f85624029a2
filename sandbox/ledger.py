"""The durable memory of one provider: its effects, its idempotency keys, and the group commit of both.

A real provider does not forget a charge when its process is killed, and does not answer before the charge is on disk.
So every answer here waits for an fsync. One fsync for each request would limit the whole shop. Therefore all requests
that arrive in one tick of the event loop share one transaction: while one fsync runs, the next group gathers.

An effect and its idempotency key are written in the same transaction, so neither ever exists without the other. This
makes a repeat after `kill -9` safe.
"""

import asyncio
import sqlite3
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple, TypeVar, cast

T = TypeVar("T")

SCHEMA = """
CREATE TABLE IF NOT EXISTS entries (
    seq INTEGER PRIMARY KEY,
    at REAL NOT NULL,
    kind TEXT NOT NULL,
    key TEXT,
    ref TEXT NOT NULL,
    object TEXT NOT NULL,
    "order" TEXT,
    amount INTEGER,
    currency TEXT,
    "to" TEXT
);
CREATE TABLE IF NOT EXISTS idempotency (
    key TEXT PRIMARY KEY,
    fingerprint BLOB NOT NULL,
    status INTEGER NOT NULL,
    body BLOB NOT NULL,
    object TEXT,
    at REAL NOT NULL
) WITHOUT ROWID;
"""

# One effect.
INSERT_ENTRY = (
    'INSERT INTO entries (at, kind, key, ref, object, "order", amount, currency, "to")'
    " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)"
)
# A page of the ledger.
SELECT_ENTRIES = "SELECT * FROM entries WHERE seq > ? ORDER BY seq LIMIT ?"
# What was answered under a key.
SELECT_ANSWER = "SELECT fingerprint, status, body FROM idempotency WHERE key = ?"
# An answer under its key.
INSERT_ANSWER = (
    "INSERT INTO idempotency (key, fingerprint, status, body, object, at) VALUES (?, ?, ?, ?, ?, ?)"
)


class LedgerInUse(RuntimeError):
    """Another process holds the file; with two writers, each would know only a part of what happened."""


class Answer(NamedTuple):
    """What was answered the first time under an idempotency key, kept to be sent again byte for byte."""

    fingerprint: bytes
    status: int
    body: bytes


class Ledger:
    """One SQLite file, written by one process and by one thread, the event loop's own.

    The commit runs on the loop and not in a thread: a thread costs more than the fsync of a fast disk, and with a slow
    disk the loop has nothing else to do, since no request may be answered before the commit.
    """

    def __init__(self, path: Path, schema: str = "") -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self.path = path
        self.db = sqlite3.connect(path, isolation_level=None, timeout=1.0)
        self.db.row_factory = sqlite3.Row
        try:
            # Exclusive: the write-ahead index then lives in our memory, and a second process is refused.
            self.db.execute("PRAGMA locking_mode = EXCLUSIVE")
            self.db.execute("PRAGMA journal_mode = WAL")
            self.db.execute("PRAGMA synchronous = FULL")
            self.db.execute("PRAGMA wal_autocheckpoint = 4000")
            self.db.executescript(SCHEMA + schema)
        except sqlite3.OperationalError as error:
            self.db.close()
            if "locked" not in str(error):
                raise
            raise LedgerInUse(
                f"The ledger {path} is held by another process. Stop that one, or give this one another file."
            ) from error
        self._waiting: list[tuple[Callable[[], Any], asyncio.Future[Any]]] = []

    def close(self) -> None:
        """Close the file; SQLite folds the write-ahead log into it."""
        self.db.close()

    def transact(self, work: Callable[[], T]) -> asyncio.Future[T]:
        """Run `work` in the transaction of this tick; its result is there once it is on disk.

        `work` is plain SQL on `db` and may run twice: if one member of a group fails, the group is
        rolled back and each member runs alone, so that only the one at fault gets the exception.
        """
        loop = asyncio.get_running_loop()
        future: asyncio.Future[T] = loop.create_future()
        if not self._waiting:
            loop.call_soon(self._commit_group)
        self._waiting.append((work, future))
        return future

    def _commit_group(self) -> None:
        group, self._waiting = self._waiting, []
        try:
            results = self._commit([work for work, _ in group])
        except Exception as error:
            if len(group) == 1:
                _settle(group[0][1], error=error)
                return
            for one in group:
                self._waiting = [one]
                self._commit_group()
        else:
            for (_, future), result in zip(group, results, strict=True):
                _settle(future, result)

    def _commit(self, works: list[Callable[[], Any]]) -> list[Any]:
        self.db.execute("BEGIN IMMEDIATE")
        try:
            results = [work() for work in works]
            self.db.execute("COMMIT")
        except BaseException:
            if self.db.in_transaction:
                self.db.execute("ROLLBACK")
            raise
        return results

    def enter(
        self,
        kind: str,
        *,
        ref: str,
        key: str | None = None,
        object: str | None = None,
        order: str | None = None,
        amount: int | None = None,
        currency: str | None = None,
        to: str | None = None,
    ) -> None:
        """Write one effect down. Only inside `transact`, beside the rows of the effect itself.

        `ref` is the thing that the effect belongs to (the payment intent), `object` what it made
        (the refund), where that is something else. `amount` is in the currency's minor unit.
        """
        self.db.execute(
            INSERT_ENTRY, (time.time(), kind, key, ref, object or ref, order, amount, currency, to)
        )

    def entries(self, after: int, limit: int) -> list[dict[str, Any]]:
        """The effects with a higher sequence number than `after`, oldest first."""
        return [dict(row) for row in self.db.execute(SELECT_ENTRIES, (after, limit))]

    def answer(self, key: str) -> Answer | None:
        """What was answered under `key`, or None if nothing was yet."""
        row = self.db.execute(SELECT_ANSWER, (key,)).fetchone()
        return None if row is None else Answer(row[0], row[1], row[2])

    def keep_answer(self, key: str, fingerprint: bytes, status: int, body: bytes, object: str | None) -> None:
        """Keep an answer under its key. Only inside `transact`, with the effect it speaks of."""
        self.db.execute(INSERT_ANSWER, (key, fingerprint, status, body, object, time.time()))

    def row(self, sql: str, parameters: tuple[object, ...]) -> sqlite3.Row | None:
        """The first row of a query, or None."""
        return cast("sqlite3.Row | None", self.db.execute(sql, parameters).fetchone())


def _settle(future: asyncio.Future[Any], result: Any = None, error: Exception | None = None) -> None:
    if future.done():  # the caller went away; what was committed stays committed
        return
    if error is None:
        future.set_result(result)
    else:
        future.set_exception(error)
