"""What the providers say they did, brought beside our tables.

The ledgers are read twice, before and after our books are looked at. What the first reading shows was done by then,
so our books must know of it; what our books claim was done by then, so the second reading must show it. In this way
the audit holds while orders are pouring in.
"""

from dataclasses import dataclass
from typing import Any, LiteralString

from django.conf import settings

from orders import sql
from orders.outside.failures import ProviderError
from orders.outside.http import client, expect

_PAGE = 5_000

PROVIDERS = {
    "payments": settings.PAYMENTS_URL,
    "sms": settings.SMS_URL,
    "carrier": settings.CARRIER_URL,
    "mailbox": settings.MAILBOX_URL.rstrip("/"),
}

_CREATE: LiteralString = """
CREATE TEMPORARY TABLE audit_ledger (
    provider text NOT NULL, late boolean NOT NULL, kind text NOT NULL, key text NOT NULL, ref text NOT NULL,
    order_number text NOT NULL, order_id bigint, amount bigint NOT NULL
) ON COMMIT DROP
"""
_FILL: LiteralString = """
INSERT INTO audit_ledger
SELECT %(provider)s, %(late)s, kind, key, ref, number,
       CASE WHEN number ~ '^S-[0-9]{1,15}$' THEN substr(number, 3)::bigint - %(offset)s END, amount
FROM unnest(%(kinds)s::text[], %(keys)s::text[], %(refs)s::text[], %(numbers)s::text[], %(amounts)s::bigint[])
     AS entry (kind, key, ref, number, amount)
"""
_ANALYZE: LiteralString = "ANALYZE audit_ledger"


@dataclass(frozen=True, slots=True)
class Reading:
    """Entries of one provider's ledger from one position to the next."""

    entries: list[dict[str, Any]]
    next: int


def read(provider: str, after: int = 0) -> Reading:
    """All entries after a position. Raises ProviderError when the provider cannot be asked."""
    entries: list[dict[str, Any]] = []
    while True:
        url = f"{PROVIDERS[provider]}/ledger?after={after}&limit={_PAGE}"
        page = expect(*client().run(client().call("GET", url)), f"ledger of {provider}")
        entries += page["entries"]
        after = page["next"]
        if len(page["entries"]) < _PAGE:
            return Reading(entries, after)


def read_all(after: dict[str, int] | None = None) -> tuple[dict[str, Reading], dict[str, str]]:
    """(what was read, why the others could not be read), by provider."""
    readings: dict[str, Reading] = {}
    missing: dict[str, str] = {}
    for provider in PROVIDERS:
        try:
            readings[provider] = read(provider, (after or {}).get(provider, 0))
        except ProviderError as error:
            missing[provider] = f"The ledger of {provider} cannot be read, so it is not proved: {error}"
    return readings, missing


def create_table() -> None:
    sql.count(_CREATE, {})


def store(readings: dict[str, Reading], *, late: bool, offset: int) -> None:
    """Put readings into the table; `late` marks what was done after our books were opened."""
    for provider, reading in readings.items():
        entries = reading.entries
        sql.count(
            _FILL,
            {
                "provider": provider,
                "late": late,
                "offset": offset,
                "kinds": [entry["kind"] for entry in entries],
                "keys": [entry["key"] or "" for entry in entries],
                "refs": [entry["ref"] or "" for entry in entries],
                "numbers": [entry["order"] or "" for entry in entries],
                "amounts": [entry["amount"] or 0 for entry in entries],
            },
        )
    sql.count(_ANALYZE, {})
