"""What a check is made of: rules, each one SQL statement that finds what should not be.

A rule is as good as the sentence that a person reads when it bites, so the statement writes it: it returns
(order id or null, what is wrong[, currency, amounts …]), a row for each problem. With an order id the sentence begins
with that order's number; amounts, in minor units, take the places of the `{}` in it.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any, LiteralString

from orders import money, sql
from orders.models.order import number_of
from orders.states import END_STATES, FAILED_STATES

# Problems told one by one for each rule; of more than that only the number is told.
TOLD = 20

# Orders `o` that nobody is working on and that do not wait for a person. Only of these must the books say all that
# was done outside: the others may be between a call and the writing down of its answer.
SETTLED: LiteralString = """
(o.due_at IS NULL AND NOT EXISTS (SELECT FROM workers_deadletter letter WHERE letter.order_id = o.id
                                  AND letter.stops_order AND letter.resolved_at IS NULL))
"""
_PARAMS = {
    "end_states": [status.value for status in END_STATES],
    "failed_states": [status.value for status in FAILED_STATES],
}


@dataclass(frozen=True, slots=True)
class Rule:
    """One statement; `ledgers` are those that it compares with.

    It is left out when one of them was not read, unless it looks at each by itself (`apart`): then what was read is
    worth looking at.
    """

    finds: LiteralString
    ledgers: tuple[str, ...] = ()
    apart: bool = False

    def applies(self, read: Collection[str]) -> bool:
        if self.apart:
            return not set(self.ledgers).isdisjoint(read)
        return set(self.ledgers) <= set(read)

    def problems(self, params: Mapping[str, Any]) -> list[str]:
        statement: LiteralString = (
            "SELECT count(*) OVER (), found.* FROM (" + self.finds + ") AS found LIMIT %(told)s"  # noqa: S608 (constants)
        )
        found = sql.rows(statement, {**_PARAMS, **params, "told": TOLD})
        told = [_sentence(*row[1:]) for row in found]
        if found and found[0][0] > TOLD:
            told.append(f"… and {found[0][0] - TOLD:,} more like these.")
        return told


@dataclass(frozen=True, slots=True)
class Check:
    """One thing that must hold. `counts` counts what is looked at, called `noun`; `remedy` says what to do when it
    does not hold."""

    name: str
    noun: str
    counts: LiteralString
    rules: tuple[Rule, ...]
    remedy: str
    params: Mapping[str, Any]

    @property
    def ledgers(self) -> set[str]:
        return {ledger for rule in self.rules for ledger in rule.ledgers}

    def count(self) -> int:
        [(counted,)] = sql.rows(self.counts, {**_PARAMS, **self.params})
        return int(counted)

    def problems(self, read: Collection[str]) -> list[str]:
        """What is wrong, told for people; `read` are the ledgers that could be read."""
        return [
            problem for rule in self.rules if rule.applies(read) for problem in rule.problems(self.params)
        ]


def _sentence(order_id: int | None, what: str, currency: str | None = None, *amounts: int) -> str:
    if currency is not None:
        what = what.format(*(money.format(amount, currency) for amount in amounts))
    return what if order_id is None else f"Order {number_of(order_id)} {what}"
