"""The course of every run: let the customers order, wait until the last order has ended, work out the
figures.

    run = Run(house, "replay")
    await run.carry(total, lambda on_answer: closed_loop(…, on_answer))
    run.audit()
    code = run.finish(json_file)

What must hold and does not is collected in `problems`, and makes the run fail; a slow figure does not.
"""

import asyncio
import json
import resource
import secrets
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

from bench.books import Books, Standing
from bench.cpu import CpuMeter
from bench.display import Progress, tell
from bench.figures import Figures
from bench.house import House
from bench.load import NO_ANSWER, Answer, OnAnswer
from bench.wiping import wipe

LOOK_SECONDS = 0.5  # between looks at how many have ended; more when a look takes long
LOOK_SHARE = 0.025  # of the time may be spent looking, or we measure ourselves
SAMPLE_SECONDS = 2.0
# Without any order moving for so long we stop waiting: leases (20 s) and the first tries again are well
# within it.
STALL_SECONDS = 120.0


class Run:
    """One run against one house; its orders' idempotency keys begin with `prefix`."""

    def __init__(self, house: House, name: str) -> None:
        self.house, self.name = house, name
        self.prefix = f"{name}-{secrets.token_hex(4)}-"
        self.books = Books(house["DATABASE_URL"], self.prefix)
        self.figures = Figures()
        self.problems: list[str] = []
        self.more: dict[str, Any] = {}  # what this kind of run says beyond the figures
        self.accepted: dict[str, str] = {}  # idempotency key -> the order's number
        self._post_ms: list[float] = []
        self._unknown = 0  # orders whose customer never got an answer: they may be in the books

    def key(self, name: object) -> str:
        """The idempotency key of the order that has this name within the run."""
        return f"{self.prefix}{name}"

    async def carry(
        self, total: int, order: Callable[[OnAnswer], Awaitable[None]], *, flush_every: float = 0.0
    ) -> None:
        """Have `order` place up to `total` orders, then wait until all have ended; fills in the figures.

        `flush_every` seconds the broker is made to forget everything (FLUSHALL), as long as the run lasts; 0:
        never.
        """
        meter, own = CpuMeter(self.house.roots), _own_cpu()
        with Progress(total) as progress:
            tasks = [asyncio.create_task(self._watch(meter, progress))]
            if flush_every:
                tasks.append(asyncio.create_task(self._flush(flush_every)))
            try:
                began = time.monotonic()
                await order(self._on_answer)
                self.figures.accepting = time.monotonic() - began
                lagging = await self.books.standing()
                own_used = _own_cpu() - own
                standing = await self._wait_ended(progress)
            finally:
                for task in tasks:
                    task.cancel()
                await asyncio.gather(*tasks, return_exceptions=True)
        meter.sample()
        self.figures.under_way = lagging.under_way.total()
        await self._work_out(standing, meter, own_used)

    def audit(self) -> None:
        """Prove the books, and keep the audit's own answer; whatever is wrong there is wrong with the run."""
        done = self.house.try_manage("audit", "--json")
        try:
            self.more["audit"] = found = json.loads(done.stdout)
            clean, checks = bool(found["clean"]), found["checks"]
        except (ValueError, KeyError, TypeError):
            lines = (done.stderr or done.stdout).strip().splitlines()
            self.more["audit"] = None
            self.problems.append(f"The audit did not run: {lines[-1] if lines else 'it said nothing'}")
            return
        for check in checks:
            if not check["ok"]:
                first = check["problems"][0] if check["problems"] else "it does not say why"
                self.problems.append(f"The audit's check {check['name']} fails: {first}")
        if not clean and all(check["ok"] for check in checks):
            self.problems.append("The audit is not clean.")

    def finish(self, file: Path | None) -> int:
        """Tell the figures, write them to the file as JSON; returns the exit code."""
        found = {**self.figures.as_json(), **self.more, "problems": self.problems}
        tell(self.name, found)
        if file:
            file.write_text(json.dumps(found, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
        return 1 if self.problems else 0

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
            progress.placed(len(self._post_ms))

    async def _wait_ended(self, progress: Progress) -> Standing:
        moved, last = time.monotonic(), None
        while True:
            began = time.monotonic()
            standing = await self.books.standing()
            looked = time.monotonic() - began
            progress.ended(standing.ended.total(), standing.total)
            if not standing.under_way:
                return standing
            if standing != last:
                moved, last = time.monotonic(), standing
            elif time.monotonic() - moved > STALL_SECONDS:
                return standing
            await asyncio.sleep(max(LOOK_SECONDS, looked / LOOK_SHARE))

    async def _work_out(self, standing: Standing, meter: CpuMeter, own_used: float) -> None:
        figures = self.figures
        figures.accepted, figures.ended = len(self.accepted), standing.ended
        figures.post_ms = self._post_ms
        figures.completing = await self.books.completing()
        figures.to_completed_ms = await self.books.to_completed_ms()
        figures.cpu, figures.load_cpu = meter.seconds(), own_used
        if standing.under_way:
            some = ", ".join(str(order_id) for order_id in await self.books.some_unended())
            states = ", ".join(f"{count} {state}" for state, count in standing.under_way.most_common())
            self.problems.append(
                f"{standing.under_way.total()} accepted orders have not ended, and nothing moved for "
                f"{STALL_SECONDS:.0f} s: {states} (ids {some}, …). Look for dead letters in the admin."
            )
        if not figures.accepted <= standing.total <= figures.accepted + self._unknown:
            self.problems.append(
                f"{figures.accepted} orders were accepted, but {standing.total} are in the books."
            )
        await self.books.close()

    async def _flush(self, seconds: float) -> None:
        flushed = 0
        while True:
            await asyncio.sleep(seconds)
            flushed += await asyncio.to_thread(wipe, self.house["BROKER_URL"])
            self.more["flushed"] = flushed


def _own_cpu() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime
