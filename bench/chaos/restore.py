"""The drill of a restore: a dump is made under load, most orders come after it, the shop is stopped, and the dump is
restored as docs/operations.md says.

Three witnesses besides the audit: what the buyers were answered, the providers' ledgers, and the numbers that the books
had given out before they were lost.
"""

import asyncio
import json
import subprocess
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import LiteralString

from bench import buyers, load
from bench.chaos.faulty_stack import FaultyStack
from bench.chaos.visitors import SKU
from bench.display import note
from bench.ledgers import entries
from bench.load import Answer
from bench.run import Run
from bench.waiting import holds
from stack.postgres import binary
from stack.program import Group, StackError
from stack.supervisor import Supervisor

BEFORE = 5  # of so many orders one comes before the dump
FRESH = 50  # orders that are placed when the shop is open again
DUMP_SECONDS = 600.0  # for the orders before the dump to be accepted
PROVIDERS = ("payments", "carrier", "sms", "mailbox")

# All numbers that are in people's hands: of orders, of documents, and of events, which subscribers know.
_NUMBERS: LiteralString = """
SELECT 'order', id FROM orders_order
UNION ALL SELECT kind, serial FROM orders_document UNION ALL SELECT 'event', id FROM orders_orderevent
"""
# The orders of this run by their keys, and whether they have ended.
_KEPT: LiteralString = """
SELECT idempotency_key, ended_at IS NOT NULL FROM orders_order WHERE idempotency_key LIKE %(keys)s
"""

Numbers = set[tuple[str, int]]
Done = Counter[tuple[str, str, str]]


class Restore:
    """One drill; `total` orders are placed meanwhile. What is wrong goes to the run's problems."""

    def __init__(self, stack: FaultyStack, run: Run, total: int) -> None:
        self._stack, self._run, self._before = stack, run, total // BEFORE
        self._file = stack.servers.layout.base / "stampede.dump"
        self._numbers: Numbers = set()
        self._kept: Numbers = set()
        self._done: Done = Counter()

    @asynccontextmanager
    async def during(self) -> AsyncIterator[None]:
        """The dump is made while the orders come, and restored after the last answer; then the shop sells again."""
        dumping = asyncio.create_task(self._dump())
        yield
        await dumping
        await self._restore()
        await self._sell()

    async def judge(self) -> None:
        """When the last order has ended: nobody outside heard of anything twice, and no number was given out twice."""
        for (provider, kind, order), times in (await self._outside()).items():
            before = self._done[provider, kind, order]
            if before and times > before:
                self._run.problems.append(
                    f"{order}: {kind} by {provider} {before} times before the restore, and {times} after."
                )
        twice = (await self._given() - self._kept) & self._numbers
        self._run.problems += [f"The number {number} ({what}) was given out twice." for what, number in twice]
        await self._run.books.close()

    async def _dump(self) -> None:
        async def enough() -> bool:
            return len(self._run.accepted) >= self._before

        if not await holds(enough, DUMP_SECONDS, 0.1):
            raise StackError(f"{self._before} orders were not accepted within {DUMP_SECONDS:.0f} s.")
        note(f"Dumping the database after {len(self._run.accepted):,} orders …")
        await asyncio.to_thread(self._postgres, "pg_dump", "-Fc", "--file", str(self._file))

    async def _restore(self) -> None:
        programs = Supervisor.of(self._stack.servers.layout).programs.values()
        shop = [program.name for program in programs if program.group is Group.SHOP]
        note("Stopping the shop, and restoring the dump …")
        for name in shop:
            await asyncio.to_thread(self._stack.stop, name)
        self._numbers, self._done = await self._given(), await self._outside()
        await self._run.books.close()
        await asyncio.to_thread(
            self._postgres, "pg_restore", "--clean", "--if-exists", "--exit-on-error", str(self._file)
        )
        await asyncio.to_thread(self._postgres, "psql", "-c", "ANALYZE")
        await asyncio.to_thread(self._stack.manage, "prepare", "--no-demo")
        self._kept = await self._given()
        listed = await asyncio.to_thread(self._after_restore)
        await self._account(listed)
        note("Opening the shop again …")
        await asyncio.to_thread(Supervisor.of(self._stack.servers.layout).start, *shop)

    def _postgres(self, program: str, *arguments: str) -> None:
        command = [str(binary(program)), "--dbname", self._stack.servers.postgres.url, *arguments]
        done = subprocess.run(command, capture_output=True, text=True)
        if done.returncode:
            raise StackError(f"{program} failed:\n{done.stderr}")

    def _after_restore(self) -> set[str]:
        """The numbers of the orders that it lists as lost."""
        done = self._stack.try_manage("after-restore", "--json")
        if done.returncode not in (0, 1):  # 1: something is for a person
            raise StackError(f"manage.py after-restore failed:\n{done.stdout}{done.stderr}")
        found = json.loads(done.stdout)
        self._run.more["after_restore"] = {**found, "lost": len(found["lost"])}
        return {call["order_number"] for call in found["lost"]}

    async def _account(self, listed: set[str]) -> None:
        """Every order that was accepted is in the books or listed. One of which nobody outside has heard yet cannot be:
        nothing was charged and nothing sent."""
        run = self._run
        kept = dict(await run.books.rows(_KEPT))
        lost = {run.accepted.pop(key) for key in list(run.accepted) if key not in kept}
        heard = {order for _, _, order in self._done}
        run.problems += [f"{number} is lost, and not listed." for number in sorted(lost & heard - listed)]
        run.problems += [
            f"{number} is listed as lost, and in the books."
            for number in sorted(listed & set(run.accepted.values()))
        ]
        under_way = sum(not ended for ended in kept.values())
        if not under_way:
            run.problems.append("No order was under way in the dump, so this proves little.")
        run.more["in_the_dump"] = {"orders": len(kept), "under_way": under_way}
        counts = {
            "lost_and_listed_for_a_person": len(lost & listed),
            "lost_before_anybody_had_heard_of_them": len(lost - heard),
        }
        run.more["lost"] = {what: count for what, count in counts.items() if count}

    async def _sell(self) -> None:
        """New orders get new numbers."""

        def note_down(answer: Answer) -> None:
            if answer.accepted:
                self._run.accepted[answer.key] = answer.number
            else:
                self._run.problems.append(f"A new order was refused after the restore: {answer.reason}")

        who = [buyers.buyer(f"after-{number}") for number in range(FRESH)]
        purchases = [
            buyers.purchase(self._run.key(f"after-{number}"), one, {SKU: 1}, buyers.card())
            for number, one in enumerate(who)
        ]
        await load.place(self._stack["SHOP_URL"], purchases, 8, note_down)

    async def _given(self) -> Numbers:
        return {(what, number) for what, number in await self._run.books.rows(_NUMBERS)}

    async def _outside(self) -> Done:
        """How often each provider did each kind of thing for each order."""
        done: Done = Counter()
        for provider in PROVIDERS:
            done.update((provider, one["kind"], one["order"]) for one in await entries(self._stack, provider))
        return done
