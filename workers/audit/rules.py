"""What a check is made of: rules, each one SQL statement that finds what should not be.

The statement also writes the sentence that a person reads. It returns a row for each problem: (order id or null, what
is wrong[, currency, amounts …]). With an order id the sentence begins with that order's number. Amounts, in minor
units, take the places of the `{}` in it. $settled and $failed stand for the conditions below.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Any, LiteralString

from orders import money, sql
from orders.models.order import number_of
from orders.states import END_STATES, FAILED_STATES

# So many problems of each rule are named; of the others only the number.
NAMED = 20

# Orders `o` that nobody is working on and that do not wait for a person. Only their books must be complete: of the
# others a provider may have been called and its answer not be written down yet.
_SETTLED: LiteralString = """
(o.due_at IS NULL AND NOT EXISTS (SELECT FROM workers_deadletter letter WHERE letter.order_id = o.id
                                  AND letter.stops_order AND letter.resolved_at IS NULL))
"""
# Settled orders that failed or were cancelled.
_FAILED: LiteralString = "o.status = ANY(%(failed_states)s) AND " + _SETTLED
# The problems that a rule finds, and how many there are in all.
_FIRST: LiteralString = "SELECT count(*) OVER (), found.* FROM ($finds) AS found LIMIT %(named)s"
_PARAMS = {
    "end_states": [status.value for status in END_STATES],
    "failed_states": [status.value for status in FAILED_STATES],
}


@dataclass(frozen=True, slots=True)
class Rule:
    """One statement; `ledgers` are those that it compares with.

    It is left out when one of them could not be read, unless it looks at each of them separately (`apart`).
    """

    finds: LiteralString
    ledgers: tuple[str, ...] = ()
    apart: bool = False

    def applies(self, read: Collection[str]) -> bool:
        if self.apart:
            return not set(self.ledgers).isdisjoint(read)
        return set(self.ledgers) <= set(read)

    def problems(self, params: Mapping[str, Any]) -> list[str]:
        finds = sql.compose(self.finds, settled=_SETTLED, failed=_FAILED)
        statement = sql.compose(_FIRST, finds=finds)
        found = sql.rows(statement, {**_PARAMS, **params, "named": NAMED})
        problems = [_sentence(*row[1:]) for row in found]
        if found and found[0][0] > NAMED:
            problems.append(f"… and {found[0][0] - NAMED:,} more like these.")
        return problems


@dataclass(frozen=True, slots=True)
class Check:
    """One thing that must hold. `counts` counts what is looked at (`noun`); `remedy` says what to do when it does not
    hold."""

    name: str
    noun: str
    counts: LiteralString
    rules: tuple[Rule, ...]
    remedy: str
    params: Mapping[str, Any] = field(default_factory=dict)

    @property
    def ledgers(self) -> set[str]:
        return {ledger for rule in self.rules for ledger in rule.ledgers}

    def count(self) -> int:
        [(counted,)] = sql.rows(self.counts, {**_PARAMS, **self.params})
        return int(counted)

    def problems(self, read: Collection[str]) -> list[str]:
        """What is wrong, in sentences; `read` are the ledgers that could be read."""
        return [
            problem for rule in self.rules if rule.applies(read) for problem in rule.problems(self.params)
        ]


def _sentence(order_id: int | None, what: str, currency: str | None = None, *amounts: int) -> str:
    if currency is not None:
        what = what.format(*(money.format(amount, currency) for amount in amounts))
    return what if order_id is None else f"Order {number_of(order_id)} {what}"
