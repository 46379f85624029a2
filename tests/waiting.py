"""Waiting for a condition, never for a time."""

import time
from collections.abc import Callable
from typing import Any, TypeVar

import pytest

T = TypeVar("T")
PATIENCE = 60.0  # seconds that a busy machine may take for what takes half of one


def wait_for(look: Callable[[], T | None], what: str, seconds: float = PATIENCE, *, each: float = 0.05) -> T:
    """Look every `each` seconds until there is something to see."""
    until = time.monotonic() + seconds
    while (seen := look()) is None:
        if time.monotonic() > until:
            pytest.fail(f"waited {seconds:.0f} s for {what}")
        time.sleep(each)
    return seen


def wait_until(true: Callable[[], Any], what: str, seconds: float = PATIENCE) -> None:
    """Ask again and again until it is true."""
    wait_for(lambda: true() or None, what, seconds)
