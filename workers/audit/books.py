"""The proof itself: read the ledgers, open our books, read the rest of the ledgers, compare.

1. Read the providers' ledgers.
2. Open a transaction whose one snapshot all that follows sees (REPEATABLE READ).
3. Read what the ledgers gained meanwhile; it is marked as late.
4. Compare, set by set, in SQL.

Nothing is locked and nothing is changed, so it may run at any moment and under any load.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from django.db import transaction

from orders import sql
from orders.database.vanishing import allow_pauses
from workers.audit.checks import CHECKS
from workers.audit.ledgers import Ledgers
from workers.audit.rules import Check

_LEDGERS = timedelta(minutes=10)  # for providers to answer while our books are open


@dataclass(frozen=True, slots=True)
class Result:
    """What one check found; `counted` is how many things it looked at."""

    check: Check
    counted: int
    problems: list[str]

    @property
    def ok(self) -> bool:
        return not self.problems


@dataclass(frozen=True, slots=True)
class Report:
    results: list[Result]

    @property
    def clean(self) -> bool:
        return all(result.ok for result in self.results)

    def as_dict(self) -> dict[str, Any]:
        """For programs, which rely on these names."""
        checks = [
            {"name": one.check.name, "ok": one.ok, "counted": one.counted, "problems": one.problems}
            for one in self.results
        ]
        return {"clean": self.clean, "checks": checks}


def prove(*, with_ledgers: bool = True, since: Mapping[str, int] | None = None) -> Report:
    """Run every check. Do not call it within a transaction: its snapshot would be older than the ledgers.

    Without the ledgers it proves our own tables alone, which is all there is with real providers. `since` gives
    positions in the ledgers, by provider, before which they are not read.
    """
    if not with_ledgers:
        with transaction.atomic(durable=True):
            _open_books()
            return Report(
                [_result(check, known=set(), missing={}) for check in CHECKS if _needs_no_ledger(check)]
            )
    ledgers = Ledgers(since)
    try:
        ledgers.read(late=False)
        with transaction.atomic(durable=True):
            _open_books()
            ledgers.read(late=True)
            ledgers.sum_up()
            known = set(ledgers.positions) - set(ledgers.missing)
            return Report([_result(check, known, ledgers.missing) for check in CHECKS])
    finally:
        ledgers.drop()


def _open_books() -> None:
    """Take the one snapshot that all checks see."""
    sql.count("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ", {})
    allow_pauses(_LEDGERS)
    # Workers' connections plan by key (orders.database.planner_settings), but the books are read whole.
    for way in ("seqscan", "hashjoin", "mergejoin", "material"):
        sql.count(f"SET LOCAL enable_{way} = on", {})
    # Compiling a plan takes longer than running it; sorting a year's events must not go to disk.
    sql.count("SET LOCAL jit = off", {})
    sql.count("SET LOCAL work_mem = '64MB'", {})
    # The first query takes the snapshot: now, before the second reading of the ledgers.
    sql.rows("SELECT FROM orders_order LIMIT 1", {})


def _result(check: Check, known: set[str], missing: Mapping[str, str]) -> Result:
    unread = [missing[ledger] for ledger in sorted(check.ledgers & set(missing))]
    return Result(check, check.count(), unread + check.problems(known))


def _needs_no_ledger(check: Check) -> bool:
    return any(not rule.ledgers for rule in check.rules)
