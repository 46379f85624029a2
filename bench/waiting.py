"""Looking again and again until something is there, with a limit."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import TypeVar

from stack.program import StackError

T = TypeVar("T")


def wait_for(look: Callable[[], T | None], patience: float, what: str, every: float = 0.1) -> T:
    """What `look` finds, once it is not None; raises StackError when it is not there after `patience` seconds."""
    until = time.monotonic() + patience
    while (found := look()) is None:
        if time.monotonic() > until:
            raise StackError(f"Waited {patience:g} s in vain for {what}.")
        time.sleep(every)
    return found


async def holds(look: Callable[[], Awaitable[bool]], patience: float, every: float) -> bool:
    """Wait until it is true; returns whether it became so within `patience` seconds."""
    until = time.monotonic() + patience
    while not await look():
        if time.monotonic() > until:
            return False
        await asyncio.sleep(every)
    return True
