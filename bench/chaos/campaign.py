"""A campaign from its first customer to the proof: strike by strike, let go, wait for quiet, judge, audit.

How long it took to recover from a strike is counted from the strike

    with orders in hand (the batch of whoever died at a crash point; at a random moment, all orders under way)
        until the last of them has ended. An order that is struck again before it has ended counts for the later strike.
        One that was struck so often that it was set apart as poison counts until then: it waits for a person, whom the
        campaign plays when all others have ended;
    with none
        until an order that was placed after it has ended.

A strike at a random moment waits until all who were struck before it have ended, so that it is not blamed for others.
"""

import asyncio
import random
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, LiteralString

from bench.chaos.crowd import Crowd
from bench.chaos.house import House
from bench.chaos.meddler import Meddler
from bench.chaos.plan import Strike, Way
from bench.chaos.strikes import UP_SECONDS, Striker, Struck, let_go
from bench.chaos.verdict import Ended, Verdict, judge
from bench.display import note
from bench.run import Run

STRIKE_SECONDS = 1.0  # over which the customers of one strike come
TRIES = 2  # at a crash point that nobody came by, and as many again after all others
QUIET_SECONDS = 180.0  # without any order ending, after which we stop waiting
LOOK_SECONDS = 0.25
FEWEST = 3  # customers a strike
A_SECOND = 50  # customers who come after the last strike

_UNDER_WAY: LiteralString = (
    "SELECT id FROM orders_order WHERE attempts > 0 AND ended_at IS NULL AND idempotency_key LIKE %(keys)s"
)
_UNENDED: LiteralString = """
SELECT count(*) FROM orders_order WHERE ended_at IS NULL AND due_at IS NOT NULL AND idempotency_key LIKE %(keys)s
"""
_OF_THESE: LiteralString = """
SELECT count(*) FROM orders_order WHERE id = ANY(%(ids)s) AND ended_at IS NULL AND due_at IS NOT NULL
AND status <> 'awaiting_payment'
"""
_SET_APART: LiteralString = """
SELECT count(*) FROM orders_order WHERE ended_at IS NULL AND due_at IS NULL AND idempotency_key LIKE %(keys)s
"""
_UNPRINTED: LiteralString = "SELECT count(*) FROM orders_document WHERE due_at IS NOT NULL"


@dataclass
class Outcome:
    """All that a campaign found."""

    struck: list[Struck]
    missed: list[Strike]
    verdict: Verdict
    recovery: dict[int, float | None]  # seconds, by the strike's place in `struck`
    asked: int
    accepted: int
    refused: Counter[str]
    meddled: Mapping[str, int]
    replayed: int  # orders that had been set apart, and were taken up again as an operator would
    unprinted: (
        int  # PDFs not made yet when all orders had ended: nobody waits for them, and their lease is long
    )
    seconds: float
    problems: list[str] = field(default_factory=list)
    audit: Any = None


async def campaign(house: House, plan: Sequence[Strike], orders: int, seed: int) -> Outcome:
    """Carry out the plan under load, and prove the books."""
    run = Run(house.measured, "chaos")
    dice = random.Random(seed)
    began = time.monotonic()
    struck: list[Struck] = []
    missed: list[Strike] = []

    async def under_way() -> list[int]:
        return [row[0] for row in await run.books.rows(_UNDER_WAY)]

    striker = Striker(house, under_way, dice)
    each = max(FEWEST, orders // max(1, len(plan)))
    async with (
        Crowd(run, seed) as crowd,
        Meddler(house.stack.valkey.url, seed) as meddler,
    ):
        for number, strike in enumerate(plan, start=1):
            if strike.way is not Way.POINT:
                await _ended(run, [order for one in struck for order in one.orders])
            done = await _once(striker, crowd, strike, each)
            struck.append(done) if done.hit else missed.append(strike)
            if number % 10 == 0 or number == len(plan):
                note(
                    f"{number} of {len(plan)} strikes, {crowd.asked:,} orders, {time.monotonic() - began:,.0f} s"
                )
        for strike in tuple(missed):
            done = await _once(striker, crowd, strike, each)
            if done.hit:
                struck.append(done)
                missed.remove(strike)
        rest = max(FEWEST, orders - crowd.asked)
        await crowd.come(rest, rest / A_SECOND)
        note("Letting go, and waiting for quiet …")
        await let_go(house)
        await crowd.served()
        replayed = await _quiet(run)
    note("Proving the books …")
    await asyncio.to_thread(run.audit)
    verdict = await judge(house.measured, run.books, crowd.answers)
    [(unprinted,)] = await run.books.rows(_UNPRINTED)
    await run.books.close()
    told = list(crowd.answers.values())
    outcome = Outcome(
        struck=struck,
        missed=missed,
        verdict=verdict,
        recovery=recoveries(struck, verdict),
        asked=crowd.asked,
        accepted=sum(answer.accepted for answer in told),
        refused=Counter(answer.reason for answer in told if not answer.accepted),
        meddled=dict(meddler.did),
        replayed=replayed,
        unprinted=unprinted,
        seconds=time.monotonic() - began,
        audit=run.more.get("audit"),
    )
    outcome.problems = [*run.problems, *_problems(outcome)]
    return outcome


async def _once(striker: Striker, crowd: Crowd, strike: Strike, customers: int) -> Struck:
    """Strike while customers come, and go on coming until it has struck."""
    for _ in range(TRIES):
        if strike.target.startswith("documents."):
            await crowd.come(customers, STRIKE_SECONDS)
            done = await striker.strike(
                strike
            )  # PDFs are made when nothing else is due, and so without a crowd
        else:
            striking = asyncio.create_task(striker.strike(strike))
            await crowd.come(customers, STRIKE_SECONDS)
            while not striking.done():
                await crowd.come(FEWEST, STRIKE_SECONDS)
            done = await striking
        if done.hit or strike.way is not Way.POINT:
            break
    return done


async def _ended(run: Run, orders: Sequence[int]) -> None:
    until = time.monotonic() + QUIET_SECONDS
    while time.monotonic() < until:
        [(left,)] = await run.books.rows(_OF_THESE, {"ids": list(orders)})
        if not left:
            return
        await asyncio.sleep(LOOK_SECONDS)


async def _quiet(run: Run) -> int:
    """Wait until nothing is left to do; take up again what was set apart, as an operator would. Returns how many."""
    replayed, last, moved = 0, -1, time.monotonic()
    while time.monotonic() - moved < QUIET_SECONDS:
        [(left,)] = await run.books.rows(_UNENDED)
        [(apart,)] = await run.books.rows(_SET_APART)
        if apart and not left:
            await asyncio.to_thread(_replay, run)
            replayed += apart
        elif not left:
            return replayed
        if (now := left + apart) != last:
            last, moved = now, time.monotonic()
        await asyncio.sleep(LOOK_SECONDS)
    return replayed


def _replay(run: Run) -> None:
    run.house.manage("shell", "--no-imports", "--command", _REPLAY)


_REPLAY = """
from workers.deadletters import replay
from workers.models import DeadLetter
replay(DeadLetter.objects.filter(resolved_at=None), by="the campaign")
"""


def recoveries(struck: Sequence[Struck], verdict: Verdict) -> dict[int, float | None]:
    """Seconds to recover, by each strike's place; None where it never did."""
    orders = verdict.by_id
    last: dict[int, int] = {}  # order -> the last strike that found it in hand
    for index, one in sorted(enumerate(struck), key=lambda pair: pair[1].at):
        last.update(dict.fromkeys(one.orders, index))
    found: dict[int, float | None] = {}
    for index, one in enumerate(struck):
        mine = [orders[order] for order in one.orders if last[order] == index and order in orders]
        mine = [order for order in mine if order.ended_at is None or order.ended_at > one.at]
        found[index] = _slowest(one, mine) if mine else _next(one, orders.values())
    return found


def _slowest(one: Struck, orders: Sequence[Ended]) -> float | None:
    ends = [_decided_at(order, one.at) for order in orders]
    if None in ends:
        return None
    return max(end for end in ends if end is not None) - one.at


def _decided_at(order: Ended, since: float) -> float | None:
    if order.set_apart_at is not None and order.set_apart_at > since:
        return order.set_apart_at
    return order.ended_at


def _next(one: Struck, orders: Any) -> float | None:
    after = [order.ended_at for order in orders if order.placed_at > one.at and order.ended_at is not None]
    return min(after) - one.at if after else None


def _problems(outcome: Outcome) -> list[str]:
    verdict = outcome.verdict
    found = [f"Lost: {what}." for what in verdict.lost.values()]
    found += [f"Doubled: {what}." for what in verdict.doubled.values()]
    found += [
        f"{one.process} was killed and did not run again within {UP_SECONDS:.0f} s."
        for one in outcome.struck
        if one.strike.way in (Way.KILL, Way.KILL_CHILD) and one.back is None
    ]
    if verdict.oversold:
        found.append(f"{verdict.oversold} pieces were sold that were never there.")
    found += [
        f"Nobody came by {name} in {2 * TRIES} tries."
        for name in sorted({one.name for one in outcome.missed})
    ]
    return found
