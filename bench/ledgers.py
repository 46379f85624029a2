"""What the providers' own ledgers say: all they did, and whether buyers who got nothing were told and not charged."""

from collections.abc import Sequence
from typing import Any

import aiohttp

from bench.running_stack import RunningStack

_PAGE = 5_000


async def end(stack: RunningStack, provider: str) -> int:
    """Where this provider's ledger ends now."""
    return (await _read(stack, provider, 0))[1]


async def entries(stack: RunningStack, provider: str, after: int = 0) -> list[dict[str, Any]]:
    """All that a provider did, by its own ledger, beyond this position."""
    return (await _read(stack, provider, after))[0]


async def of_unlucky(
    stack: RunningStack, unlucky: Sequence[tuple[str, str]], mailbox_after: int, payments_after: int
) -> dict[str, int]:
    """Look up the buyers who got nothing: how many there are, how many were told so, were not told, were charged.

    Each is an order's number and the key of the e-mail about it ("" if there is none).
    """
    delivered = {
        (entry["order"], entry["key"].strip("<>").partition("@")[0])
        for entry in await entries(stack, "mailbox", mailbox_after)
        if entry["kind"] == "delivered"
    }
    payments = await entries(stack, "payments", payments_after)
    captured = {entry["order"] for entry in payments if entry["kind"] == "captured"}
    told = sum(one in delivered for one in unlucky)
    charged = sum(number in captured for number, _ in unlucky)
    return {"unlucky": len(unlucky), "told": told, "untold": len(unlucky) - told, "charged": charged}


async def _read(stack: RunningStack, provider: str, after: int) -> tuple[list[dict[str, Any]], int]:
    """The entries of a ledger after a position, and where it ends."""
    found: list[dict[str, Any]] = []
    async with aiohttp.ClientSession(raise_for_status=True) as session:
        while True:
            url = f"{stack[f'{provider.upper()}_URL']}/ledger?after={after}&limit={_PAGE}"
            async with session.get(url) as response:
                page = await response.json()
            found += page["entries"]
            after = page["next"]
            if len(page["entries"]) < _PAGE:
                return found, after
