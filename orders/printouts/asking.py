"""Asking for a printout, cancelling it, and having it tried again, as the admin does. Nothing is made here."""

from collections.abc import Collection
from datetime import date
from typing import LiteralString

from orders import sql
from orders.lease import DUE_NOW
from orders.models import Printout

MOST_ORDERS = 10_000  # that a printout can name; more are asked for by their days

# Nobody wants it any more.
_CANCEL: LiteralString = """
UPDATE orders_printout SET state = 'cancelled', ended_at = now(), due_at = NULL, holder = NULL
WHERE id = %(id)s AND state IN ('waiting', 'making')
"""
# Try again: the cause is mended, or it is wanted after all.
_AGAIN: LiteralString = sql.compose(
    """
UPDATE orders_printout
SET state = 'waiting', problem = '', ended_at = NULL, rows_done = 0, $due_now
WHERE id = %(id)s AND state IN ('failed', 'cancelled')
""",
    due_now=DUE_NOW,
)


class NotPrintable(Exception):
    """Nothing was asked for; the message says why, for people."""


def ask(
    kind: Printout.Kind,
    *,
    by: str,
    since: date | None = None,
    until: date | None = None,
    orders: Collection[int] = (),
) -> Printout:
    """Ask for it. Days are of the shop's time zone, `until` included; the catalogue has neither days nor orders.

    Raises NotPrintable.
    """
    if len(orders) > MOST_ORDERS:
        raise NotPrintable(f"{len(orders):,} orders at once are too many: ask for them by their days.")
    if kind != Printout.Kind.CATALOGUE and not orders and not (since and until):
        raise NotPrintable("Say from which day to which, or choose orders.")
    if since and until and since > until:
        raise NotPrintable(f"{since} is after {until}: say the earlier day first.")
    return Printout.objects.create(kind=kind, since=since, until=until, order_ids=sorted(orders), by=by[:150])


def cancel(printout: Printout) -> bool:
    """Cancel it; the worker that makes it stops at the next piece. False when it had ended already."""
    return sql.count(_CANCEL, {"id": printout.pk}) == 1


def again(printout: Printout) -> bool:
    """Try again what failed or was cancelled. False for any other."""
    return sql.count(_AGAIN, {"id": printout.pk}) == 1
