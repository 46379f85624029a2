"""Doing one thing of the plan to the house, and making it good again.

A strike at a crash point is over when somebody has taken the token. One at a random moment is a signal or a fault that
lasts for a few seconds and is then lifted; nobody else lifts it.
"""

import asyncio
import random
import signal
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

import aiohttp

from bench.chaos.house import POOL_NAMES, Hit, House
from bench.chaos.plan import Strike, Way
from bench.chaos.proxy import Fault, Proxy
from bench.wiping import wipe
from orders.crashpoints import Point

HIT_SECONDS = 15.0  # for a token to be taken
QUIET_HIT_SECONDS = 60.0  # the same where PDFs are made, which wait until no order is due
LOOK_SECONDS = 0.02
UP_SECONDS = 60.0  # for a killed program to run again
HANG_MS = 12_000.0  # longer than the shop waits for an answer

# Seconds that a state lasts, by what is done.
_LASTS = {
    "paused": 6.0,
    "delayed": 4.0,
    "cut": 4.0,
    "half open": 6.0,
    "slow": 4.0,
    "hanging": 4.0,
}
_FAULT = {"delayed": Fault.DELAY, "cut": Fault.CUT, "half open": Fault.HALF_OPEN}
_PROVIDER_FAULTS: dict[str, dict[str, Any]] = {
    "slow": {"latency_ms": 300, "jitter_ms": 700},
    "hanging": {"latency_ms": HANG_MS},
    "answering 500": {"error_rate": 0.7},
    "answering too late": {"late_answer_rate": 0.5, "late_answer_s": HANG_MS / 1000},
    "losing answers": {"lose_answer_rate": 0.7},
    "webhooks twice, early and late": {
        "webhook_repeat_rate": 0.7,
        "webhook_delay_s": 1.5,
        "late_answer_rate": 0.3,
        "late_answer_s": 1.0,
    },
}
_NO_FAULTS = {name: 0 for faults in _PROVIDER_FAULTS.values() for name in faults}
PROVIDER_SECONDS = 4.0
# Points that a worker's main process comes by.
_OF_MAIN = (Point.TASK_BEFORE_ACK, Point.TASK_AFTER_ACK)


@dataclass
class Struck:
    """What came of a strike. `orders` are those in hand when it happened; `at` by the clock; `back` seconds until
    the killed process ran again, None where none was killed or none came back."""

    strike: Strike
    at: float
    process: str = ""
    orders: list[int] = field(default_factory=list)
    back: float | None = None
    hit: bool = True


UnderWay = Callable[[], Awaitable[list[int]]]


class Striker:
    """Strikes at one house; `under_way` tells which orders are in hand at a moment."""

    def __init__(self, house: House, under_way: UnderWay, dice: random.Random) -> None:
        self._house, self._under_way, self._dice = house, under_way, dice

    async def strike(self, strike: Strike) -> Struck:
        match strike.way:
            case Way.POINT:
                return await self._at_point(strike)
            case Way.KILL | Way.KILL_CHILD:
                return await self._kill(strike)
            case Way.BROKER:
                return await self._broker(strike)
            case Way.NETWORK:
                proxy = self._house.broker if strike.target == "valkey" else self._house.payments
                return await self._network(strike, proxy)
            case Way.PROVIDER:
                return await self._provider(strike)

    async def _at_point(self, strike: Strike) -> Struck:
        point = Point(strike.target)
        self._house.arm(point, strike.action)
        quiet = strike.target.startswith("documents.")
        until = time.monotonic() + (QUIET_HIT_SECONDS if quiet else HIT_SECONDS)
        try:
            while time.monotonic() < until:
                for hit in self._house.new_hits():
                    return _struck(strike, hit)
                await asyncio.sleep(LOOK_SECONDS)
        finally:
            self._house.disarm(point)
        for hit in self._house.new_hits():  # taken while we gave up
            return _struck(strike, hit)
        return Struck(strike, time.time(), hit=False)

    async def _kill(self, strike: Strike) -> Struck:
        house, name = self._house, strike.target
        orders = await self._under_way()
        main = await asyncio.to_thread(house.main, name)
        child = strike.way is Way.KILL_CHILD
        victims = await asyncio.to_thread(house.children, name) if child else [main]
        if not victims or not main:
            return Struck(strike, time.time(), hit=False)
        victim = self._dice.choice(victims)
        struck = Struck(strike, time.time(), _process(name, child), orders)
        house.signal(victim, signal.SIGKILL)
        struck.back = await self._runs_again(name, main, victims if child else [])
        return struck

    async def _runs_again(self, name: str, main: int, children: list[int]) -> float | None:
        """Seconds until another process runs in the place of the one killed."""
        began = time.monotonic()
        while time.monotonic() - began < UP_SECONDS:
            if children:
                now = await asyncio.to_thread(self._house.children, name)
                if len(now) >= len(children) and set(now) - set(children):
                    return time.monotonic() - began
            elif (await asyncio.to_thread(self._house.main, name)) not in (0, main):
                return time.monotonic() - began
            await asyncio.sleep(0.05)
        return None

    async def _broker(self, strike: Strike) -> Struck:
        house = self._house
        struck = Struck(strike, time.time(), "valkey", await self._under_way())
        if strike.action == "wiped":
            await asyncio.to_thread(wipe, house.stack.valkey.url)
        elif strike.action == "paused":
            pid = await asyncio.to_thread(house.main, "valkey")
            house.signal(pid, signal.SIGSTOP)
            await asyncio.sleep(_LASTS["paused"])
            house.signal(pid, signal.SIGCONT)
        else:
            await asyncio.to_thread(_restart_empty, house)
        return struck

    async def _network(self, strike: Strike, proxy: Proxy) -> Struck:
        struck = Struck(strike, time.time(), strike.target, await self._under_way())
        proxy.set(_FAULT[strike.action], delay=0.1)
        await asyncio.sleep(_LASTS[strike.action])
        proxy.set(Fault.NONE)
        return struck

    async def _provider(self, strike: Strike) -> Struck:
        struck = Struck(strike, time.time(), strike.target, await self._under_way())
        await set_faults(self._house, strike.target, _PROVIDER_FAULTS[strike.action])
        await asyncio.sleep(PROVIDER_SECONDS)
        await set_faults(self._house, strike.target, _NO_FAULTS)
        return struck


async def set_faults(house: House, provider: str, faults: dict[str, Any]) -> None:
    """Tell a provider what shall go wrong; waits for one that was killed a moment ago."""
    url = f"{house.stack.url(provider)}/faults"
    async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=5)) as session:
        until = time.monotonic() + UP_SECONDS
        while True:
            try:
                async with session.post(url, json=faults) as response:
                    response.raise_for_status()
                    return
            except (aiohttp.ClientConnectionError, TimeoutError):
                if time.monotonic() > until:
                    raise
                await asyncio.sleep(0.1)


async def let_go(house: House) -> None:
    """Lift everything, whoever was interrupted while doing it."""
    house.broker.set(Fault.NONE)
    house.payments.set(Fault.NONE)
    for provider in ("payments", "sms", "carrier", "mailbox"):
        await set_faults(house, provider, _NO_FAULTS)


def _struck(strike: Strike, hit: Hit) -> Struck:
    child = hit.does != "kill-parent" and hit.point not in _OF_MAIN
    return Struck(strike, hit.at, _process(hit.process, child), hit.orders)


def _process(name: str, child: bool) -> str:
    """Of the programs that have processes below them, which of the two."""
    return f"{name} {'child' if child else 'main'}" if name in (*POOL_NAMES, "web") else name


def _restart_empty(house: House) -> None:
    """Kill it and take its file away, as when its disk was lost."""
    house.stop("valkey")
    for file in sorted(house.stack.layout.valkey.rglob("*"), reverse=True):
        if file.is_dir():
            file.rmdir()
        elif file.name != "valkey.conf":
            file.unlink()
    house.start("valkey")
