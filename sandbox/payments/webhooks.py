"""Webhooks: a durable queue of signed POSTs that tell the merchant what happened outside its calls.

An event is written in the transaction of what it reports, and sent again until the merchant answers 2xx. So the
merchant may receive an event twice, but never misses one. Several are sent at once, so they may arrive in another
order. Signed as Stripe signs (https://docs.stripe.com/webhooks#verify-manually).
"""

import asyncio
import hmac
import logging
import time
from contextlib import suppress
from functools import partial
from typing import Any

import aiohttp
import orjson

from sandbox.faults import Faults, strikes
from sandbox.ids import new_id
from sandbox.ledger import Ledger

log = logging.getLogger("sandbox")

SCHEMA = """
CREATE TABLE IF NOT EXISTS webhooks (
    id INTEGER PRIMARY KEY,
    body BLOB NOT NULL,
    attempts INTEGER NOT NULL DEFAULT 0,
    due_at REAL NOT NULL,
    delivered_at REAL
);
CREATE INDEX IF NOT EXISTS webhooks_due ON webhooks (due_at) WHERE delivered_at IS NULL;
"""
# The next events to send.
DUE = (
    "SELECT id, body, attempts FROM webhooks"
    " WHERE delivered_at IS NULL AND due_at <= ? ORDER BY due_at LIMIT 32"
)
# When the next event is to be sent.
NEXT_DUE = "SELECT min(due_at) FROM webhooks WHERE delivered_at IS NULL"

FIRST_PAUSE = 0.25
LONGEST_PAUSE = 30.0
ANSWER_WITHIN = 10.0


class Webhooks:
    """The queue, and the task that empties it."""

    def __init__(self, ledger: Ledger, url: str, secret: str, faults: Faults) -> None:
        self._ledger = ledger
        self._url = url
        self._secret = secret.encode()
        self._faults = faults
        self._news = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin to deliver, with what an earlier process left behind first."""
        if self._url:
            self._task = asyncio.create_task(self._run())

    async def stop(self) -> None:
        """Stop; what was not delivered stays in the queue."""
        if self._task is not None:
            self._task.cancel()
            with suppress(asyncio.CancelledError):
                await self._task

    def announce(self, event: str, subject: dict[str, Any]) -> None:
        """Queue an event. Only inside the ledger's transaction, beside what it reports."""
        if not self._url:
            return
        body = {
            "id": new_id("evt"),
            "object": "event",
            "type": event,
            "created": int(time.time()),
            "data": {"object": subject},
        }
        due_at = time.time() + self._faults.webhook_delay_s
        for _ in range(2 if strikes(self._faults.webhook_repeat_rate) else 1):
            self._ledger.db.execute(
                "INSERT INTO webhooks (body, due_at) VALUES (?, ?)", (orjson.dumps(body), due_at)
            )
        self._news.set()

    async def _run(self) -> None:
        timeout = aiohttp.ClientTimeout(total=ANSWER_WITHIN)
        async with aiohttp.ClientSession(timeout=timeout) as session:
            while True:
                self._news.clear()
                rows = self._ledger.db.execute(DUE, (time.time(),)).fetchall()
                if not rows:
                    await self._rest()
                    continue
                outcomes = await asyncio.gather(*(self._deliver(session, row["body"]) for row in rows))
                await self._ledger.transact(partial(self._record, rows, outcomes))

    async def _rest(self) -> None:
        next_due = self._ledger.db.execute(NEXT_DUE).fetchone()[0]
        pause = None if next_due is None else max(0.0, next_due - time.time())
        with suppress(TimeoutError):
            await asyncio.wait_for(self._news.wait(), pause)

    async def _deliver(self, session: aiohttp.ClientSession, body: bytes) -> bool:
        headers = {"Content-Type": "application/json", "Stripe-Signature": signature(self._secret, body)}
        try:
            async with session.post(self._url, data=body, headers=headers) as response:
                if 200 <= response.status < 300:
                    return True
                log.warning("webhook to %s answered %d, it will be repeated", self._url, response.status)
        except (aiohttp.ClientError, TimeoutError) as error:
            log.warning("webhook to %s failed (%s), it will be repeated", self._url, error or "timeout")
        return False

    def _record(self, rows: list[Any], outcomes: list[bool]) -> None:
        now = time.time()
        for row, delivered in zip(rows, outcomes, strict=True):
            pause = min(LONGEST_PAUSE, FIRST_PAUSE * 2 ** min(row["attempts"], 10))
            self._ledger.db.execute(
                "UPDATE webhooks SET attempts = attempts + 1, delivered_at = ?, due_at = ? WHERE id = ?",
                (now if delivered else None, now + pause, row["id"]),
            )


def signature(secret: bytes, body: bytes) -> str:
    """The Stripe-Signature of a body sent now."""
    now = int(time.time())
    digest = hmac.new(secret, b"%d.%s" % (now, body), "sha256").hexdigest()
    return f"t={now},v1={digest}"
