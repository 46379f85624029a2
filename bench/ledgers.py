"""What the providers' own ledgers say of the buyers who got nothing: that they were told, and not charged."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, TypeAlias

import aiohttp

from bench.house import House

_PAGE = 5_000
_READ = ("payments", "mailbox")
_ADDRESS = {  # provider -> the setting with its address
    "payments": "PAYMENTS_URL",
    "sms": "SMS_URL",
    "carrier": "CARRIER_URL",
    "mailbox": "MAILBOX_URL",
}

Positions: TypeAlias = Mapping[str, int]


@dataclass(frozen=True, slots=True)
class Unlucky:
    """An order that ended out of stock: its number, and the key of the e-mail that says so ("" if it has none)."""

    number: str
    email_key: str


@dataclass(frozen=True, slots=True)
class Found:
    """Buyers who got nothing: how many, how many of them were told so, and were not, and were charged."""

    unlucky: int
    told: int
    untold: int
    charged: int

    def as_json(self) -> dict[str, int]:
        return asdict(self)


async def ends(house: House) -> dict[str, int]:
    """Where each ledger ends now."""
    return {name: (await _read(house, name, 0))[1] for name in _READ}


async def entries(house: House, provider: str) -> list[dict[str, Any]]:
    """All that a provider ever did, by its own ledger."""
    return (await _read(house, provider, 0))[0]


async def of_unlucky(house: House, unlucky: Sequence[Unlucky], after: Positions) -> Found:
    """Look each of them up in what the ledgers hold beyond these positions."""
    mails, _ = await _read(house, "mailbox", after["mailbox"])
    payments, _ = await _read(house, "payments", after["payments"])
    delivered = {
        (entry["order"], entry["key"].strip("<>").partition("@")[0])
        for entry in mails
        if entry["kind"] == "delivered"
    }
    captured = {entry["order"] for entry in payments if entry["kind"] == "captured"}
    told = sum((one.number, one.email_key) in delivered for one in unlucky)
    charged = sum(one.number in captured for one in unlucky)
    return Found(len(unlucky), told, len(unlucky) - told, charged)


async def _read(house: House, provider: str, after: int) -> tuple[list[dict[str, Any]], int]:
    """The entries of a ledger after a position, and where it ends."""
    found: list[dict[str, Any]] = []
    async with aiohttp.ClientSession(raise_for_status=True) as session:
        while True:
            url = f"{house[_ADDRESS[provider]]}/ledger?after={after}&limit={_PAGE}"
            async with session.get(url) as response:
                page = await response.json()
            found += page["entries"]
            after = page["next"]
            if len(page["entries"]) < _PAGE:
                return found, after
