"""A row that is due, and the lease under which somebody works on it (the columns: orders.models.leased).

1. The relay claims rows that are due: they are not looked at again for a few seconds, in which a message goes out.
2. A worker takes the row, under a name (`holder`) drawn for this one attempt: one conditional statement, which counts
   the attempt and moves `due_at` ahead by the lease. Of many messages for one row, one finds it free.
3. While it works it renews the lease, and learns that the row is not wanted any more. Every write is conditional on the
   name, so a worker that was late, doubled or frozen for a while changes nothing.
4. It finishes (ENDED), releases the row uncounted (our own database was down, the worker must stop), or reports a
   failure, after which the retry policy says when the row is due again.
5. When it dies, the lease runs out and the row is due. A row taken up MAX_ATTEMPTS times from which nobody came back
   with an answer is poison: it kills its workers, and goes to the dead letters.

Orders are leased in batches and without a holder (orders.scheduling): a batch of a hundred passes through four steps
in a second, and each step's conditional change of state does what the name does here.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from time import monotonic
from typing import Any, LiteralString, TypeVar
from uuid import UUID, uuid4

from orders import sql
from orders.retry import GiveUp, RetryPolicy

E = TypeVar("E", bound=BaseException)

MAX_ATTEMPTS = 3

# What every statement sets that ends a row's work, and that makes it due with all its attempts before it.
ENDED: LiteralString = "holder = NULL, due_at = NULL, attempts = 0, failures = 0"
DUE_NOW: LiteralString = "holder = NULL, due_at = now(), attempts = 0, failures = 0"

# Rows that are due, in their order. MATERIALIZED: looked up anew for each row of a nested loop, "the next so many that
# nobody has locked" would be others each time, and more than the limit would be claimed.
_CLAIM = """
WITH due AS MATERIALIZED ($due LIMIT %(limit)s FOR NO KEY UPDATE OF r SKIP LOCKED), claimed AS (
    UPDATE $table r SET due_at = now() + %(dispatch)s, holder = NULL FROM due WHERE r.id = due.id
    RETURNING r.id, r.attempts, due.place
)
SELECT id, attempts FROM claimed ORDER BY place
"""
# A claimed row for which no message went out: as if it had not been claimed.
_UNCLAIM = "UPDATE $table SET due_at = now() WHERE id = ANY(%(ids)s) AND holder IS NULL AND due_at > now()"
# Rows that are free, or whose lease has run out.
_TAKE = """
UPDATE $table r
SET holder = %(holder)s, due_at = now() + %(lease)s, attempts = attempts + 1, attempts_total = attempts_total + 1
    $on_take
WHERE id = ANY(%(ids)s) AND due_at IS NOT NULL AND (holder IS NULL OR due_at <= now()) AND $wanted RETURNING id
"""
# The lease begins anew, if the row is still ours and still wanted.
_RENEW = """
UPDATE $table r SET due_at = now() + %(lease)s $on_renew WHERE id = ANY(%(ids)s) AND holder = %(holder)s AND $wanted
"""
# Nobody came to an answer: the attempt does not count.
_RELEASE = """
UPDATE $table
SET holder = NULL, due_at = now(), attempts = greatest(attempts - 1, 0), attempts_total = attempts_total - 1 $on_release
WHERE id = ANY(%(ids)s) AND holder = %(holder)s
"""
# The work was tried and failed: it is tried again at a time of its own.
_RETRY = """
UPDATE $table r SET holder = NULL, due_at = retry.at, attempts = 0, failures = failures + 1 $on_release
FROM unnest(%(ids)s::bigint[], %(times)s::timestamptz[]) AS retry (id, at)
WHERE r.id = retry.id AND holder = %(holder)s
"""
# How often the work on each of our rows has failed in a row.
_FAILURES = "SELECT id, failures FROM $table WHERE id = ANY(%(ids)s) AND holder = %(holder)s"


class Poison(Exception):
    """A row was taken up several times, and no worker came back with an answer."""

    def __init__(self) -> None:
        super().__init__(f"taken up {MAX_ATTEMPTS} times, and no worker came back with an answer")


class LeaseLost(Exception):
    """The row is not ours any more: it was cancelled or is over, or our lease had run out and somebody else has it."""


@dataclass(frozen=True, slots=True)
class Table:
    """A kind of work: rows of a table that are due.

    due       a SELECT of (id, place) from `table r` that are due, in the order of `place`
    wanted    what must hold of a row for its work to be wanted
    on_take, on_renew, on_release   what is set besides; begins with a comma
    lease     how long somebody may work without renewing
    dispatch  how long a message may take to be taken up; a row waits so long after its message was lost
    """

    table: LiteralString
    due: LiteralString = ""
    wanted: LiteralString = "true"
    on_take: LiteralString = ""
    on_renew: LiteralString = ""
    on_release: LiteralString = ""
    lease: timedelta = timedelta(seconds=20)
    dispatch: timedelta = timedelta(seconds=20)

    def claim(self, limit: int) -> dict[int, int]:
        """Claim up to so many rows that are due; their ids, in order, with how often each was taken up in vain."""
        due = self.due or sql.compose(
            "SELECT id, due_at AS place FROM $table r WHERE due_at <= now() ORDER BY due_at", table=self.table
        )
        statement = sql.compose(_CLAIM, table=self.table, due=due)
        return dict(sql.rows(statement, {"limit": limit, "dispatch": self.dispatch}))

    def unclaim(self, ids: Collection[int]) -> None:
        """No message went out for these: they are due at once."""
        sql.count(sql.compose(_UNCLAIM, table=self.table), {"ids": list(ids)})


class Lease:
    """Rows in hand, until they are finished, released or lost."""

    def __init__(self, kind: Table, ids: Collection[int]) -> None:
        self.kind, self.ids, self.holder = kind, list(ids), uuid4()
        # Until when (time.monotonic) the rows are surely ours, counted from before we asked.
        self.valid_until = 0.0

    def take(self) -> list[int]:
        """Take those of the rows that are free and wanted; returns them. A message that comes late gets none."""
        asked = monotonic()
        params = {**self._mine, "lease": self.kind.lease}
        self.ids = [row_id for (row_id,) in sql.rows(self._composed(_TAKE), params)]
        self.valid_until = asked + self.kind.lease.total_seconds()
        return self.ids

    def renew(self, **progress: Any) -> None:
        """The lease begins anew; `progress` are parameters of `on_renew`. Raises LeaseLost when no row is ours."""
        asked = monotonic()
        if not sql.count(self._composed(_RENEW), {**self._mine, "lease": self.kind.lease, **progress}):
            raise LeaseLost(f"{self.kind.table} {self.ids} is not ours or not wanted any more")
        self.valid_until = asked + self.kind.lease.total_seconds()

    def renew_in_time(self, **progress: Any) -> None:
        """Renew when a quarter of the lease has passed. Raises LeaseLost."""
        if self.valid_until - monotonic() < 0.75 * self.kind.lease.total_seconds():
            self.renew(**progress)

    def release(self) -> None:
        """Let go of the rows, which are due at once; the attempt does not count."""
        sql.count(self._composed(_RELEASE), self._mine)

    def fail(
        self, errors: Mapping[int, E], policy: RetryPolicy, since: datetime | None = None
    ) -> dict[int, E]:
        """The work on these rows failed. They are due again when the policy says; returns those that it gives up, which
        stay ours and are for the caller to end."""
        if not errors:
            return {}
        found = sql.rows(self._composed(_FAILURES), {**self._mine, "ids": list(errors)})
        decisions = {row_id: policy.next(failures + 1, since) for row_id, failures in found}
        times = {row_id: one.at for row_id, one in decisions.items() if not isinstance(one, GiveUp)}
        if times:
            sql.count(
                self._composed(_RETRY), {**self._mine, "ids": list(times), "times": list(times.values())}
            )
        return {row_id: errors[row_id] for row_id in decisions if row_id not in times}

    @property
    def _mine(self) -> dict[str, list[int] | UUID]:
        return {"ids": self.ids, "holder": self.holder}

    def _composed(self, template: LiteralString) -> LiteralString:
        kind = self.kind
        parts: dict[str, LiteralString] = {
            "table": kind.table,
            "wanted": kind.wanted,
            "on_take": kind.on_take,
            "on_renew": kind.on_renew,
            "on_release": kind.on_release,
        }
        return sql.compose(template, **parts)
