"""A dry run of a dead letter against the present code: what would a replay do, or how would it fail again?

The failed step runs for its order as in a worker, but with fake providers and in a transaction that is rolled back.
Nothing is sent and nothing stays: no row, no event, no lock. Only PostgreSQL's sequences have a gap afterwards, as
after any rollback.

The providers are replaced in the whole process, so this is for a command line and not for a server's threads.
"""

from dataclasses import dataclass, field
from typing import Any

from django.apps import apps
from django.db import OperationalError, connection, transaction
from django.db.models import Model, QuerySet

from orders import scheduling
from orders.facts import facts_of
from orders.models import Order, Payment, StockItem
from orders.workflow import Step, remaining, steps, work_of
from workers.deadletters.fake_providers import recording
from workers.deadletters.fingerprints import fingerprint, name_of
from workers.deadletters.replaying import reopen
from workers.models import DeadLetter

# A dry run must not hold up the work: it waits for locks briefly, and holds its own briefly.
_BRIEFLY = "SET LOCAL lock_timeout = '2s'; SET LOCAL statement_timeout = '10s'"
# Constraints that are checked at the commit, which never comes.
_CHECK_NOW = "SET CONSTRAINTS ALL IMMEDIATE"


class NotNow(Exception):
    """There can be no dry run; the message says why, for people."""


@dataclass(frozen=True, slots=True)
class Change:
    """A row that would be added, or changed from each first value to the second."""

    row: str
    added: bool
    columns: dict[str, tuple[str, str]]

    def __str__(self) -> str:
        if self.added:
            values = (f"{name} {new}" for name, (_, new) in self.columns.items())
            return f"{self.row} added: {', '.join(values)}"
        changes = (
            f"{name} from {old or 'nothing'} to {new or 'nothing'}"
            for name, (old, new) in self.columns.items()
        )
        return f"{self.row} changed: {', '.join(changes)}"


@dataclass(slots=True)
class DryRun:
    """What came of it. `failed` is the error, if there was one; `same`: it is the same as the letter's."""

    letter: int
    about: str
    task: str
    done_already: bool = False
    calls: list[str] = field(default_factory=list)
    changes: list[Change] = field(default_factory=list)
    failed: str = ""
    same: bool = False

    @property
    def verdict(self) -> str:
        """One sentence."""
        if self.same:
            return f"It would fail again in the same way: {self.failed}"
        if self.failed:
            return f"It would fail, in another way than before: {self.failed}"
        if self.done_already:
            return "The step is done by now: a replay would go on with the next."
        return "It would succeed, if the providers say yes."


def dry_run(letter: DeadLetter) -> DryRun:
    """Run the letter's step for its order and roll it back. Raises NotNow, or Django's OperationalError."""
    if letter.order is None:
        raise NotNow(f"Letter {letter.pk} is about no order: there is nothing to run. {letter.subject}.")
    try:
        step = Step(letter.task)
    except ValueError:
        raise NotNow(
            f"Letter {letter.pk} is about {letter.task}, which writes files: there is no dry run of it."
        ) from None
    order_id = letter.order.pk
    result = DryRun(letter.pk, letter.about, letter.task)
    with recording(Payment.objects.filter(order=order_id).first()) as record:
        try:
            with transaction.atomic(durable=True):
                _run(step, letter, order_id, result)
                transaction.set_rollback(True)
        except OperationalError as error:
            raise NotNow(
                f"{letter.about} is being worked on at this moment, or the database is away: {str(error).strip()}. "
                "Try again in a moment."
            ) from error
        except Exception as error:
            result.failed = f"{name_of(error)}: {error}"
            result.same = fingerprint(letter.task, error) == letter.fingerprint
    result.calls = record.calls
    return result


def _run(step: Step, letter: DeadLetter, order_id: int, result: DryRun) -> None:
    """All that a replay and a worker would do; notes what it changed."""
    with connection.cursor() as cursor:
        cursor.execute(_BRIEFLY)
        scheduling.make_due([order_id])
        reopen([letter])
        [facts] = facts_of([order_id])
        result.done_already = step not in steps(remaining(facts))
        before = _rows(order_id)
        outcome = work_of(step)([order_id])
        cursor.execute(_CHECK_NOW)
        result.changes = _changes(before, _rows(order_id))
    for failure in () if isinstance(outcome, list) else outcome.failed:
        raise failure.error


_Rows = dict[tuple[str, Any], dict[str, str]]


def _rows(order_id: int) -> _Rows:
    """Every row of the order, and the stock of its SKUs, as words."""
    found: _Rows = {}
    for rows in _tables(order_id):
        for row in rows.values():
            key = (str(rows.model._meta.verbose_name), row.pop("id", None) or row["sku"])
            found[key] = {name: "" if value is None else str(value) for name, value in row.items()}
    return found


def _tables(order_id: int) -> list[QuerySet[Any]]:
    order = Order.objects.filter(pk=order_id)
    with_order = [model for model in apps.get_app_config("orders").get_models() if _is_of_an_order(model)]
    wanted = StockItem.objects.filter(sku__in=order.values("lines__sku"))
    return [order, wanted, *(model._default_manager.filter(order=order_id) for model in with_order)]


def _is_of_an_order(model: type[Model]) -> bool:
    return any(one.name == "order" and one.related_model is Order for one in model._meta.get_fields())


def _changes(before: _Rows, after: _Rows) -> list[Change]:
    changes = []
    for (table, key), row in after.items():
        was = before.get((table, key))
        columns = {
            name: ("" if was is None else was[name], value)
            for name, value in row.items()
            if (value and name != "order_id" if was is None else value != was[name])
        }
        if columns:
            changes.append(Change(f"{table} {key}" if was is not None else table, was is None, columns))
    return changes
