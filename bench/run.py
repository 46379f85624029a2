"""The course of every run: let the buyers order, wait until the last order has ended, compute the figures.

    run = Run(stack, "replay")
    await run.place(total, purchases, connections)
    run.audit()
    code = run.finish(json_file)

What must hold and does not is collected in `problems`, and makes the run fail; a slow figure does not.
"""

import asyncio
import json
import resource
import secrets
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Iterable
from contextlib import suppress
from pathlib import Path
from typing import Any

import redis
from redis.exceptions import RedisError

from bench import load
from bench.books import COMPLETING, TO_COMPLETED_MS, UNENDED, Books
from bench.cli import finish
from bench.cpu import CpuMeter
from bench.display import Progress, note, show
from bench.figures import Figures
from bench.load import NO_ANSWER, Answer, OnAnswer, Purchase
from bench.running_stack import RunningStack

LOOK_SECONDS = 0.5  # between looks at how many have ended; more when a look takes long
LOOK_SHARE = 0.025  # of the time may be spent looking, or we measure ourselves
SAMPLE_SECONDS = 2.0
# We stop waiting when no order has moved for so long: leases (20 s) and the first retries are well within it.
STALL_SECONDS = 120.0


class Run:
    """One run against one stack; its orders' idempotency keys begin with `prefix`."""

    def __init__(self, stack: RunningStack, name: str) -> None:
        self.stack, self.name = stack, name
        self.prefix = f"{name}-{secrets.token_hex(4)}-"
        self.books = Books(stack["DATABASE_URL"], self.prefix)
        self.figures = Figures()
        self.problems: list[str] = []
        self.more: dict[str, Any] = {}  # what this kind of run says beyond the figures
        self.accepted: dict[str, str] = {}  # idempotency key -> the order's number
        self._post_ms: list[float] = []
        self._unknown = 0  # orders whose buyer never got an answer: they may be in the books

    def key(self, name: object) -> str:
        """The idempotency key of the order that has this name within the run."""
        return f"{self.prefix}{name}"

    async def place(
        self, total: int, purchases: Iterable[Purchase], connections: int, *, per_second: float = 0.0
    ) -> None:
        """Place these orders and carry them to their end."""

        async def order(on_answer: OnAnswer) -> None:
            await load.place(self.stack["SHOP_URL"], purchases, connections, on_answer, per_second=per_second)

        await self.carry(total, order)

    async def carry(
        self, total: int, order: Callable[[OnAnswer], Awaitable[None]], *, flush_every: float = 0.0
    ) -> None:
        """Have `order` place up to `total` orders, then wait until all have ended; fills in the figures.

        Every `flush_every` seconds the broker is made to forget everything, as long as the run lasts; 0: never.
        """
        meter, own = CpuMeter(self.stack.roots), _own_cpu()
        with Progress(total) as progress:
            tasks = [asyncio.create_task(self._watch(meter, progress))]
            if flush_every:
                tasks.append(asyncio.create_task(self._flush(flush_every)))
            try:
                began = time.monotonic()
                await order(self._on_answer)
                self.figures.accepting = time.monotonic() - began
                self.figures.under_way = (await self.books.statuses())[1].total()
                self.figures.load_cpu = _own_cpu() - own
                under_way = await self._wait_ended(progress)
            finally:
                for task in tasks:
                    task.cancel()
                await asyncio.gather(*tasks, return_exceptions=True)
        meter.sample()
        self.figures.cpu = meter.seconds()
        await self._compute(under_way)

    def audit(self) -> None:
        """Prove the books, and keep the audit's own answer; whatever is wrong there is wrong with the run."""
        note("Proving the books …")
        done = self.stack.try_manage("audit", "--json")
        self.more["audit"] = None
        try:
            found = json.loads(done.stdout)
            clean, checks = bool(found["clean"]), found["checks"]
        except (ValueError, KeyError, TypeError):
            lines = (done.stderr or done.stdout).strip().splitlines()
            self.problems.append(f"The audit did not run: {lines[-1] if lines else 'it said nothing'}")
            return
        self.more["audit"] = found
        failed = [check for check in checks if not check["ok"]]
        for check in failed:
            first = check["problems"][0] if check["problems"] else "it does not say why"
            self.problems.append(f"The audit's check {check['name']} fails: {first}")
        if not clean and not failed:
            self.problems.append("The audit is not clean.")

    def finish(self, file: Path | None) -> int:
        """Print the figures, write them to the file as JSON; returns the exit code."""
        found = {**self.figures.as_json(), **self.more, "problems": self.problems}
        show(self.name, found)
        return finish(found, self.problems, file)

    def _on_answer(self, answer: Answer) -> None:
        self._post_ms.append(answer.ms)
        self.figures.repeated_posts += answer.tries - 1
        if answer.accepted:
            self.accepted[answer.key] = answer.number
            return
        self.figures.refused[answer.reason] += 1
        self._unknown += answer.tries > 1 or answer.reason == NO_ANSWER

    async def _watch(self, meter: CpuMeter, progress: Progress) -> None:
        """Show how far it is, and keep the accounts of processes that may end."""
        while True:
            await asyncio.sleep(SAMPLE_SECONDS)
            with suppress(Exception):  # a look that fails costs one sample, not the run
                await asyncio.to_thread(meter.sample)
            if not self.figures.accepting:
                progress.count(len(self._post_ms))

    async def _wait_ended(self, progress: Progress) -> Counter[str]:
        """Returns how many have not ended when nothing moves any more, by status."""
        moved, last = time.monotonic(), None
        while True:
            began = time.monotonic()
            found = ended, under_way = await self.books.statuses()
            looked = time.monotonic() - began
            answered = max(len(self._post_ms), len(self.accepted))
            progress.count(answered, ended.total(), ended.total() + under_way.total())
            if found != last:
                moved, last = time.monotonic(), found
            if not under_way or time.monotonic() - moved > STALL_SECONDS:
                self.figures.ended = ended
                return under_way
            await asyncio.sleep(max(LOOK_SECONDS, looked / LOOK_SHARE))

    async def _compute(self, under_way: Counter[str]) -> None:
        figures = self.figures
        figures.accepted, figures.post_ms = len(self.accepted), self._post_ms
        figures.completing = float(await self.books.value(COMPLETING) or 0)
        figures.to_completed_ms = await self.books.column(TO_COMPLETED_MS)
        if under_way:
            some = ", ".join(map(str, await self.books.column(UNENDED)))
            states = ", ".join(f"{count} {status}" for status, count in under_way.most_common())
            self.problems.append(
                f"{under_way.total()} accepted orders have not ended, and nothing moved for "
                f"{STALL_SECONDS:.0f} s: {states} (ids {some}, …). Look for dead letters in the admin."
            )
        there = figures.ended.total() + under_way.total()
        if not figures.accepted <= there <= figures.accepted + self._unknown:
            self.problems.append(f"{figures.accepted} orders were accepted, but {there} are in the books.")
        await self.books.close()

    async def _flush(self, seconds: float) -> None:
        self.more["flushed"] = 0
        while True:
            await asyncio.sleep(seconds)
            self.more["flushed"] += await asyncio.to_thread(wipe, self.stack["BROKER_URL"])


def wipe(broker_url: str) -> bool:
    """Make the broker forget everything (FLUSHALL); returns whether it was there to do it.

    With a blocking client, called in a thread: redis.asyncio may take a cancellation for a time-out, and then a task
    that wipes again and again never ends.
    """
    try:
        with redis.Redis.from_url(broker_url, socket_timeout=5) as broker:
            broker.flushall()
    except RedisError:
        return False
    return True


def _own_cpu() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime
