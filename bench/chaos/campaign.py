"""A campaign from its first customer to the proof: fault by fault, lift all, wait for quiet, judge, audit.

How long it took to recover from a fault is counted from the fault

    with orders in hand (the batch of the process that died at a crash point; at a random moment, all orders under way)
        until the last of them has ended. An order that meets another fault before its end counts for the later one.
        One that met so many that it was set apart as poison counts until then: it waits for a person, whom the campaign
        plays when all others have ended;
    with none
        until an order that was placed after it has ended.

A fault at a random moment waits until all orders of earlier faults have ended, so that it is not blamed for others.
"""

import asyncio
import random
import time
from collections import Counter
from collections.abc import Iterable, Sequence
from functools import partial
from typing import Any, LiteralString

from bench.chaos import matrix
from bench.chaos.customers import Customers
from bench.chaos.faulty_stack import FaultyStack
from bench.chaos.injector import UP_SECONDS, Injected, Injector, lift_all
from bench.chaos.message_faults import MessageFaults
from bench.chaos.plan import Fault, Kind
from bench.chaos.verdict import Ended, Verdict, judge
from bench.display import note
from bench.run import Run
from bench.waiting import holds

FAULT_SECONDS = 1.0  # over which the customers of one fault come
TRIES = 2  # at a crash point that nobody passed, and as many again after all others
QUIET_SECONDS = 180.0  # without any order ending, after which we stop waiting
LOOK_SECONDS = 0.25
FEWEST = 3  # customers a fault
A_SECOND = 50  # customers who come after the last fault

# Orders in hand.
_UNDER_WAY: LiteralString = (
    "SELECT id FROM orders_order WHERE attempts > 0 AND ended_at IS NULL AND idempotency_key LIKE %(keys)s"
)
# Orders that still go on by themselves, and those that were set apart.
_LEFT: LiteralString = """
SELECT count(*) FILTER (WHERE due_at IS NOT NULL), count(*) FILTER (WHERE due_at IS NULL) FROM orders_order
WHERE ended_at IS NULL AND idempotency_key LIKE %(keys)s
"""
# How many of these orders still go on by themselves.
_OF_THESE: LiteralString = """
SELECT count(*) FROM orders_order WHERE id = ANY(%(ids)s) AND ended_at IS NULL AND due_at IS NOT NULL
AND status <> 'awaiting_payment'
"""
# PDFs that are not made yet.
_UNPRINTED: LiteralString = "SELECT count(*) FROM orders_document WHERE due_at IS NOT NULL"
_REPLAY = """
from workers.deadletters import replay
from workers.models import DeadLetter
replay(DeadLetter.objects.filter(resolved_at=None), by="the campaign")
"""


async def campaign(stack: FaultyStack, plan: Sequence[Fault], orders: int, seed: int) -> dict[str, Any]:
    """Carry out the plan under load, and prove the books; returns all that was found, as it is written as JSON."""
    run = Run(stack, "chaos")
    began = time.monotonic()
    injected: list[Injected] = []
    missed: list[Fault] = []

    injector = Injector(stack, partial(run.books.column, _UNDER_WAY), random.Random(seed))
    each = max(FEWEST, orders // max(1, len(plan)))
    async with (
        Customers(run, seed) as customers,
        MessageFaults(stack.servers.valkey.url, seed) as messages,
    ):
        for number, fault in enumerate(plan, start=1):
            if fault.kind is not Kind.POINT:
                await _ended(run, [order for one in injected for order in one.orders])
            done = await _once(injector, customers, fault, each)
            injected.append(done) if done.hit else missed.append(fault)
            if number % 10 == 0 or number == len(plan):
                seconds = time.monotonic() - began
                note(f"{number} of {len(plan)} faults, {customers.asked:,} orders, {seconds:,.0f} s")
        for fault in tuple(missed):
            done = await _once(injector, customers, fault, each)
            if done.hit:
                injected.append(done)
                missed.remove(fault)
        rest = max(FEWEST, orders - customers.asked)
        await customers.come(rest, rest / A_SECOND)
        note("Lifting every fault, and waiting for quiet …")
        await lift_all(stack)
        await customers.served()
        replayed = await _quiet(run)
    await asyncio.to_thread(run.audit)
    verdict = await judge(stack, run.books, customers.answers)
    unprinted = await run.books.value(_UNPRINTED)
    await run.books.close()
    answers = customers.answers.values()
    return {
        "seconds": round(time.monotonic() - began, 1),
        "asked": customers.asked,
        "accepted": sum(answer.accepted for answer in answers),
        "refused": dict(Counter(answer.reason for answer in answers if not answer.accepted)),
        "strikes": len(injected),  # a fault is called so, and "struck", where programs read it
        "lost": len(verdict.lost),
        "doubled": len(verdict.doubled),
        "oversold": verdict.oversold,
        "set_apart_and_replayed": replayed,  # as an operator would
        "pdfs_to_make": unprinted,  # when all orders had ended: nobody waits for them, and their lease is long
        "messages": dict(messages.done),
        "books_clean": bool((run.more["audit"] or {}).get("clean")),
        "matrix": matrix.rows(injected, verdict, recoveries(injected, verdict)),
        "problems": [*run.problems, *_problems(injected, missed, verdict)],
    }


async def _once(injector: Injector, customers: Customers, fault: Fault, orders: int) -> Injected:
    """Inject it while customers come, and go on coming until it has happened."""
    for _ in range(TRIES):
        if fault.target.startswith("documents."):
            # PDFs are made when nothing else is due, and so not while customers come.
            await customers.come(orders, FAULT_SECONDS)
            done = await injector.inject(fault)
        else:
            injecting = asyncio.create_task(injector.inject(fault))
            await customers.come(orders, FAULT_SECONDS)
            while not injecting.done():
                await customers.come(FEWEST, FAULT_SECONDS)
            done = await injecting
        if done.hit or fault.kind is not Kind.POINT:
            break
    return done


async def _ended(run: Run, orders: Sequence[int]) -> None:
    async def none_left() -> bool:
        return not await run.books.value(_OF_THESE, {"ids": list(orders)})

    await holds(none_left, QUIET_SECONDS, LOOK_SECONDS)


async def _quiet(run: Run) -> int:
    """Wait until nothing is left to do; take up again what was set apart, as an operator would. Returns how many."""
    replayed, last, moved = 0, -1, time.monotonic()
    while time.monotonic() - moved < QUIET_SECONDS:
        [(left, apart)] = await run.books.rows(_LEFT)
        if not left and not apart:
            break
        if not left:
            await asyncio.to_thread(run.stack.manage, "shell", "--no-imports", "--command", _REPLAY)
            replayed += apart
        if (now := left + apart) != last:
            last, moved = now, time.monotonic()
        await asyncio.sleep(LOOK_SECONDS)
    return replayed


def recoveries(injected: Sequence[Injected], verdict: Verdict) -> dict[int, float | None]:
    """Seconds to recover, by each fault's place; None where it never did."""
    orders = verdict.by_id
    last: dict[int, int] = {}  # order -> the last fault that found it in hand
    for index, one in sorted(enumerate(injected), key=lambda pair: pair[1].at):
        last.update(dict.fromkeys(one.orders, index))
    found: dict[int, float | None] = {}
    for index, one in enumerate(injected):
        mine = [orders[order] for order in one.orders if last[order] == index and order in orders]
        mine = [order for order in mine if order.ended_at is None or order.ended_at > one.at]
        found[index] = _slowest(one, mine) if mine else _next(one, orders.values())
    return found


def _slowest(one: Injected, orders: Sequence[Ended]) -> float | None:
    ends: list[float] = []
    for order in orders:
        set_apart = order.set_apart_at is not None and order.set_apart_at > one.at
        end = order.set_apart_at if set_apart else order.ended_at
        if end is None:
            return None
        ends.append(end)
    return max(ends) - one.at


def _next(one: Injected, orders: Iterable[Ended]) -> float | None:
    after = [order.ended_at for order in orders if order.placed_at > one.at and order.ended_at is not None]
    return min(after) - one.at if after else None


def _problems(injected: Sequence[Injected], missed: Sequence[Fault], verdict: Verdict) -> list[str]:
    found = [f"Lost: {what}." for what in verdict.lost.values()]
    found += [f"Doubled: {what}." for what in verdict.doubled.values()]
    found += [
        f"{one.process} was killed and did not run again within {UP_SECONDS:.0f} s."
        for one in injected
        if one.fault.kind in (Kind.KILL, Kind.KILL_CHILD) and one.back is None
    ]
    if verdict.oversold:
        found.append(f"{verdict.oversold} pieces were sold that were never there.")
    names = sorted({fault.name for fault in missed})
    return found + [f"No process passed {name} in {2 * TRIES} tries." for name in names]
