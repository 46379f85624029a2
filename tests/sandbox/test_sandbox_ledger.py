"""The group commit: one member's failure is its own, and what is answered is on disk."""

from __future__ import annotations

import asyncio
import sqlite3
from functools import partial
from pathlib import Path

import pytest

from sandbox.faults import BadFault, Faults
from sandbox.ledger import Ledger


def test_calls_of_one_tick_share_a_commit(tmp_path: Path) -> None:
    async def run() -> tuple[list[str], int]:
        statements: list[str] = []
        ledger = Ledger(tmp_path / "ledger.db")
        ledger.db.set_trace_callback(statements.append)
        works = (partial(ledger.enter, "sent", ref=f"r{number}") for number in range(50))
        await asyncio.gather(*(ledger.transact(work) for work in works))
        ledger.db.set_trace_callback(None)
        entries = ledger.entries(0, 100)
        ledger.close()
        return statements, len(entries)

    statements, count = asyncio.run(run())
    assert (statements.count("COMMIT"), count) == (1, 50)


def test_a_failing_member_fails_alone(tmp_path: Path) -> None:
    async def run() -> tuple[list[object], list[str]]:
        ledger = Ledger(tmp_path / "ledger.db")

        def fail() -> None:
            ledger.enter("sent", ref="half done")
            raise ValueError("a bug of this one")

        works = [lambda: ledger.enter("sent", ref="first"), fail, lambda: ledger.enter("sent", ref="last")]
        outcomes = await asyncio.gather(*(ledger.transact(work) for work in works), return_exceptions=True)
        refs = [entry["ref"] for entry in ledger.entries(0, 100)]
        ledger.close()
        return list(outcomes), refs

    outcomes, refs = asyncio.run(run())
    assert [type(outcome) for outcome in outcomes] == [type(None), ValueError, type(None)]
    assert refs == ["first", "last"]


def test_a_caller_that_went_away_undoes_nothing(tmp_path: Path) -> None:
    async def run() -> int:
        ledger = Ledger(tmp_path / "ledger.db")
        ledger.transact(lambda: ledger.enter("sent", ref="r")).cancel()
        await ledger.transact(lambda: None)
        count = len(ledger.entries(0, 100))
        ledger.close()
        return count

    assert asyncio.run(run()) == 1


def test_every_commit_is_synced(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path / "new folder" / "ledger.db")
    settings = {
        name: ledger.db.execute(f"PRAGMA {name}").fetchone()[0] for name in ("journal_mode", "synchronous")
    }
    ledger.close()
    assert settings == {"journal_mode": "wal", "synchronous": 2}  # 2 is FULL
    with pytest.raises(sqlite3.ProgrammingError):
        ledger.entries(0, 1)


def test_a_fault_in_the_environment_that_is_no_number_is_named() -> None:
    with pytest.raises(BadFault, match="SANDBOX_LATENCY_MS is 'much'"):
        Faults.from_environment({"SANDBOX_LATENCY_MS": "much"})
    assert Faults.from_environment({"SANDBOX_DOWN": "true"}).down
    assert not Faults.from_environment({}).active
