"""Injects one fault of the plan, and lifts it again.

A fault at a crash point is over when a process has taken the token. One at a random moment is a signal, or a state that
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

from bench.chaos.faulty_stack import FaultyStack, Hit
from bench.chaos.plan import OF_MAIN, Fault, Kind
from bench.chaos.proxy import NetworkFault
from bench.run import wipe
from bench.running_stack import POOL_NAMES, PROVIDERS
from bench.waiting import holds
from orders.crashpoints import Point

HIT_SECONDS = 15.0  # for a token to be taken
QUIET_HIT_SECONDS = 60.0  # the same where PDFs are made, which wait until no order is due
LOOK_SECONDS = 0.02
UP_SECONDS = 60.0  # for a killed program to run again
HANG_MS = 12_000.0  # longer than the shop waits for an answer
PROVIDER_SECONDS = 4.0  # that a provider misbehaves
PAUSE_SECONDS = 6.0  # that the broker is stopped

# How long it lasts, in seconds.
_NETWORK = {
    "delayed": (NetworkFault.DELAY, 4.0),
    "cut": (NetworkFault.CUT, 4.0),
    "half open": (NetworkFault.HALF_OPEN, 6.0),
}
_PROVIDER: dict[str, dict[str, Any]] = {
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
_NONE = {name: 0 for faults in _PROVIDER.values() for name in faults}


@dataclass
class Injected:
    """What came of a fault. `orders` are those in hand when it happened; `at` by the clock; `back` seconds until
    the killed process ran again, None where none was killed or none came back."""

    fault: Fault
    at: float
    process: str = ""
    orders: list[int] = field(default_factory=list)
    back: float | None = None
    hit: bool = True


UnderWay = Callable[[], Awaitable[list[int]]]


class Injector:
    """Injects faults into one stack; `under_way` says which orders are in hand at a moment."""

    def __init__(self, stack: FaultyStack, under_way: UnderWay, dice: random.Random) -> None:
        self._stack, self._under_way, self._dice = stack, under_way, dice

    async def inject(self, fault: Fault) -> Injected:
        if fault.kind is Kind.POINT:
            return await self._at_point(fault)
        orders = await self._under_way()
        if fault.kind in (Kind.KILL, Kind.KILL_CHILD):
            return await self._kill(fault, orders)
        injected = Injected(fault, time.time(), fault.target, orders)
        if fault.kind is Kind.BROKER:
            await self._broker(fault.action)
        elif fault.kind is Kind.NETWORK:
            proxy = self._stack.broker if fault.target == "valkey" else self._stack.payments
            network_fault, seconds = _NETWORK[fault.action]
            proxy.set(network_fault, delay=0.1)
            await asyncio.sleep(seconds)
            proxy.set(NetworkFault.NONE)
        else:
            await set_faults(self._stack, fault.target, _PROVIDER[fault.action])
            await asyncio.sleep(PROVIDER_SECONDS)
            await set_faults(self._stack, fault.target, _NONE)
        return injected

    async def _at_point(self, fault: Fault) -> Injected:
        point = Point(fault.target)
        self._stack.arm(point, fault.action)
        quiet = fault.target.startswith("documents.")
        until = time.monotonic() + (QUIET_HIT_SECONDS if quiet else HIT_SECONDS)
        hits: list[Hit] = []
        try:
            while not hits and time.monotonic() < until:
                await asyncio.sleep(LOOK_SECONDS)
                hits = self._stack.new_hits()
        finally:
            self._stack.disarm(point)
        for hit in hits or self._stack.new_hits():  # some are taken while we give up
            child = hit.does != "kill-parent" and hit.point not in OF_MAIN
            return Injected(fault, hit.at, _process(hit.process, child), hit.orders)
        return Injected(fault, time.time(), hit=False)

    async def _kill(self, fault: Fault, orders: list[int]) -> Injected:
        stack, name = self._stack, fault.target
        main = await asyncio.to_thread(stack.main, name)
        child = fault.kind is Kind.KILL_CHILD
        victims = await asyncio.to_thread(stack.children, name) if child else [main]
        if not victims or not main:
            return Injected(fault, time.time(), hit=False)
        victim = self._dice.choice(victims)
        injected = Injected(fault, time.time(), _process(name, child), orders)
        stack.signal(victim, signal.SIGKILL)
        injected.back = await self._runs_again(name, main, victims if child else [])
        return injected

    async def _runs_again(self, name: str, main: int, children: list[int]) -> float | None:
        """Seconds until another process runs in the place of the one killed."""
        began = time.monotonic()

        async def back() -> bool:
            if not children:
                return await asyncio.to_thread(self._stack.main, name) not in (0, main)
            now = await asyncio.to_thread(self._stack.children, name)
            return len(now) >= len(children) and bool(set(now) - set(children))

        return time.monotonic() - began if await holds(back, UP_SECONDS, 0.05) else None

    async def _broker(self, action: str) -> None:
        stack = self._stack
        if action == "wiped":
            await asyncio.to_thread(wipe, stack.servers.valkey.url)
        elif action == "paused":
            pid = await asyncio.to_thread(stack.main, "valkey")
            stack.signal(pid, signal.SIGSTOP)
            await asyncio.sleep(PAUSE_SECONDS)
            stack.signal(pid, signal.SIGCONT)
        else:
            await asyncio.to_thread(_restart_empty, stack)


async def set_faults(stack: FaultyStack, provider: str, faults: dict[str, Any]) -> None:
    """Set what shall go wrong at a provider; waits for one that was killed a moment ago."""
    url = f"{stack.servers.url(provider)}/faults"
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


async def lift_all(stack: FaultyStack) -> None:
    """Lift every fault, whoever was interrupted while one lasted."""
    stack.broker.set(NetworkFault.NONE)
    stack.payments.set(NetworkFault.NONE)
    for provider in PROVIDERS:
        await set_faults(stack, provider, _NONE)


def _process(name: str, child: bool) -> str:
    """Of the programs that have processes below them, which of the two."""
    return f"{name} {'child' if child else 'main'}" if name in (*POOL_NAMES, "web") else name


def _restart_empty(stack: FaultyStack) -> None:
    """Kill it and remove its data, as when its disk was lost."""
    stack.stop("valkey")
    for file in sorted(stack.servers.layout.valkey.rglob("*"), reverse=True):
        if file.is_dir():
            file.rmdir()
        elif file.name != "valkey.conf":
            file.unlink()
    stack.start("valkey")
