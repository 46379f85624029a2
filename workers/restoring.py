"""What is done after a restore from a backup, before anything else runs: `manage.py after-restore`.

The restored books end where the backup was made. Customers and providers know more:

1. Numbers that were given out after the backup (orders, invoices, credit notes, events) are in people's hands. All
   counters move ahead of them. The gap is noted, so that the audit knows it.
2. Charges that were made for orders of the backup are looked up and not asked for again, however old their keys are.
   Orders that customers cancelled afterwards (the provider has given the money back, or the customer was told) are
   cancelled, or their goods would go out. Orders that were charged or sent get their stock before any other: it is
   theirs, and whoever came too late for it then does so again. All else that is under way needs nothing: every call is
   repeated under the same key as before (orders.payments.keys, orders.row_keys), and providers do nothing twice.
3. Refunds and charges that the books do not have: the reconciler takes them over or raises a finding.
4. What providers did for orders that the books lost altogether is listed for a person (`LostCall`).

Done again, it does only what is left.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import LiteralString
from uuid import UUID

from django.db import transaction
from django.utils import timezone

from orders import inventory, row_keys, scheduling, sql
from orders.cancelling import NotCancellable, cancel
from orders.models import LostCall, Order, Restore
from orders.models.order import id_of
from orders.payments import keys, reconciling
from orders.payments.gateway import Intent, Listed, gateway
from orders.providers.http import ask_all, client
from orders.states import CANCELLABLE_STATES, WITHOUT_GOODS
from workers.audit.ledgers import PAYMENTS, Ledgers

# How far numbers move beyond the last that anybody is known to have: more than were ever sold between two backups.
AHEAD = 10_000
# Refunds are looked for at charges of so long before the backup.
REACH = timedelta(days=30)
# Rows of one order: events, stock movements, messages. Their ids are told to subscribers, too.
_ROWS_AN_ORDER = 1_000

# Whether the shop is open: a relay would dispatch what must not go on, and the web give out numbers again.
_OPEN_SHOP: LiteralString = """
SELECT DISTINCT application_name FROM pg_stat_activity
WHERE datname = current_database() AND application_name IN ('relay', 'web')
"""
# The last event, the last order's id that was given, and how many orders have not ended.
_KNOWN: LiteralString = """
SELECT (SELECT max(at) FROM orders_orderevent),
       (SELECT coalesce(last_value, 0) FROM pg_sequences
        WHERE sequencename = 'orders_order_id_seq' AND schemaname = current_schema()),
       (SELECT count(*) FROM orders_order WHERE ended_at IS NULL)
"""
# The next order gets the number after this one.
_ORDERS_AHEAD: LiteralString = "SELECT setval('orders_order_id_seq', %(last)s)"
# So do all other rows of orders.
_ROWS_AHEAD: LiteralString = """
SELECT setval(format('%%I.%%I', schemaname, sequencename)::regclass, coalesce(last_value, 0) + %(by)s)
FROM pg_sequences
WHERE schemaname = current_schema() AND sequencename LIKE 'orders\\_%%' AND sequencename <> 'orders_order_id_seq'
"""
# Move the counter of invoices (1) or of credit notes (2); returns the last number of it.
_DOCUMENTS_AHEAD: LiteralString = """
INSERT INTO orders_invoicecounter AS c (id, last) VALUES (%(counter)s, %(by)s)
ON CONFLICT (id) DO UPDATE SET last = c.last + excluded.last RETURNING last
"""
# Card orders that can still be cancelled, with what their charge is known by.
_OPEN: LiteralString = """
SELECT o.id, p.key FROM orders_order o JOIN orders_payment p ON p.order_id = o.id
WHERE o.status = ANY(%(cancellable)s) ORDER BY o.id
"""
# The provider knows these charges, so they are looked up and not asked for: it may have forgotten their keys by now.
_ASKED: LiteralString = """
UPDATE orders_payment p
SET status = 'requested', reference = step.reference, requested_at = coalesce(p.requested_at, now()), updated_at = now()
FROM unnest(%(ids)s::bigint[], %(references)s::text[]) AS step (order_id, reference)
WHERE p.order_id = step.order_id AND p.status IN ('pending', 'requested')
"""
# When the oldest of them was placed.
_OLDEST_OPEN: LiteralString = "SELECT min(placed_at) FROM orders_order WHERE status = ANY(%(cancellable)s)"
# Of those that can still be cancelled, the ones whose customers were told that they are.
_TOLD_CANCELLED: LiteralString = sql.compose(
    """
SELECT DISTINCT o.id FROM audit_ledger l JOIN orders_order o ON o.id = l.order_id
WHERE o.status = ANY(%(cancellable)s)
  AND (l.provider = 'mailbox' AND l.row_key = $mail OR l.provider = 'sms' AND l.row_key = $text)
""",
    mail=row_keys.of_message("'email'", "'cancelled'"),
    text=row_keys.of_message("'sms'", "'cancelled'"),
)
# Orders without stock in our books that had some: they were charged, or their parcel was booked.
_SERVED: LiteralString = sql.compose(
    """
SELECT o.id FROM orders_order o
WHERE o.status = 'placed' AND (o.id = ANY(%(charged)s) OR EXISTS (
    SELECT FROM audit_ledger l WHERE l.order_id = o.id AND l.provider = 'carrier' AND l.row_key = $parcel))
ORDER BY o.id
""",
    parcel=row_keys.SHIPMENT,
)
# The highest order that a call of ours was made for.
_HIGHEST: LiteralString = "SELECT max(order_id) FROM audit_ledger WHERE row_key IS NOT NULL"
# List what no row explains, nor will: a parcel or a message that an order is still to get has its key already.
_LOSE: LiteralString = sql.compose(
    """
INSERT INTO orders_lostcall (restore_id, provider, kind, reference, key, order_number, amount_minor, currency)
SELECT %(restore)s, l.provider, l.kind, left(l.ref, 255), left(l.key, 255), left(l.order_number, 100), l.amount,
       left(l.currency, 3)
FROM audit_ledger l
LEFT JOIN orders_order o ON o.id = l.order_id
CROSS JOIN LATERAL (
    SELECT CASE WHEN o.status = ANY(%(without_goods)s) THEN o.status ELSE 'confirmation' END
) AS its (message)
WHERE o.id IS NULL OR NOT CASE l.provider
    WHEN 'payments' THEN EXISTS (SELECT FROM orders_payment p WHERE p.order_id = o.id AND p.key = l.row_key)
    WHEN 'carrier' THEN l.row_key = $parcel AND NOT o.status = ANY(%(without_goods)s)
        OR EXISTS (SELECT FROM orders_shipment s WHERE s.order_id = o.id AND s.key = l.row_key)
    ELSE l.row_key IN ($mail, $text)
        OR EXISTS (SELECT FROM orders_notification n WHERE n.order_id = o.id AND n.key = l.row_key) END
ON CONFLICT DO NOTHING
""",
    parcel=row_keys.SHIPMENT,
    mail=row_keys.of_message("'email'", "its.message"),
    text=row_keys.of_message("'sms'", "its.message"),
)
_PARAMS = {
    "cancellable": [status.value for status in CANCELLABLE_STATES],
    "without_goods": [status.value for status in WITHOUT_GOODS],
}


class NotNow(Exception):
    """Nothing was done; the message says why and what to do first."""


@dataclass
class Report:
    """What was done. `unread` are providers that cannot be asked what they did; `lost` and what the reconciler raised
    are for a person."""

    restore: Restore
    repeated: bool = False
    cancelled: list[str] = field(default_factory=list)
    not_cancelled: list[str] = field(default_factory=list)
    unread: list[str] = field(default_factory=list)
    reconciled: reconciling.Report | None = None
    lost: list[LostCall] = field(default_factory=list)


def after_restore(ahead: int = AHEAD, ledgers_since: Mapping[str, int] | None = None) -> Report:
    """Do it, with the shop closed. Raises NotNow, or ProviderError when the payment provider cannot be asked.

    `ledgers_since` are positions before which the ledgers are not read (workers.audit.ledgers).
    """
    if at_work := sql.rows(_OPEN_SHOP, {}):
        raise NotNow(
            f"{' and '.join(sorted(name for (name,) in at_work))} use this database: numbers would be given out twice, "
            "and goods sent for orders that were cancelled after the backup. Stop all but the database, then start "
            "this again."
        )
    charges = _charges()
    ledgers = Ledgers(ledgers_since)
    try:
        ledgers.read(late=False)
        report = _move_ahead(charges, ahead)
        report.unread = sorted(ledgers.missing.values())
        _cancel(report, charges)
        report.reconciled = reconciling.reconcile((report.restore.books_until or timezone.now()) - REACH)
        _lose(report, charges, payments_unread=PAYMENTS in ledgers.missing)
    finally:
        ledgers.drop()
    return report


def _charges() -> list[Listed]:
    """What the payment provider charged for us since the oldest order that has not ended."""
    [(books_until, _, _)] = sql.rows(_KNOWN, {})
    [(oldest,)] = sql.rows(_OLDEST_OPEN, _PARAMS)
    since: datetime = min(moment for moment in (books_until, oldest, timezone.now()) if moment)

    async def read() -> list[Listed]:
        return [listed async for listed in gateway().list(since - timedelta(hours=1))]

    # What others charged on the same account has no key of ours.
    return [listed for listed in client().run(read()) if listed.key and listed.key.endswith("-charge")]


def _move_ahead(charges: Iterable[Listed], ahead: int) -> Report:
    with transaction.atomic():
        [(books_until, last, under_way)] = sql.rows(_KNOWN, {})
        if before := Restore.objects.filter(last_order=last).first():
            return Report(before, repeated=True)
        [(in_ledgers,)] = sql.rows(_HIGHEST, {})
        charged = (id_of(listed.order_number) or 0 for listed in charges)
        new_last = max(last, in_ledgers or 0, *charged, 0) + ahead
        orders = new_last - last
        sql.rows(_ORDERS_AHEAD, {"last": new_last})
        sql.rows(_ROWS_AHEAD, {"by": orders * _ROWS_AN_ORDER})
        # Each of those orders may have had one of either, and so may those that were under way.
        documents = orders + under_way
        [(invoice,)] = sql.rows(_DOCUMENTS_AHEAD, {"counter": 1, "by": documents})
        [(credit_note,)] = sql.rows(_DOCUMENTS_AHEAD, {"counter": 2, "by": documents})
        made = Restore.objects.create(
            books_until=books_until,
            first_order=last + 1,
            last_order=new_last,
            first_invoice=invoice - documents + 1,
            last_invoice=invoice,
            first_credit_note=credit_note - documents + 1,
            last_credit_note=credit_note,
        )
    return Report(made)


def _cancel(report: Report, charges: Iterable[Listed]) -> None:
    by_key = {charge.key: charge.intent for charge in charges}
    known = {
        order_id: (by_key[charge], key)
        for order_id, key in sql.rows(_OPEN, _PARAMS)
        if (charge := keys.key(key, "charge")) in by_key
    }
    references = [intent.reference for intent, _ in known.values()]
    sql.count(_ASKED, {"ids": list(known), "references": references})
    told = {order_id for (order_id,) in sql.rows(_TOLD_CANCELLED, _PARAMS)}
    for order_id in sorted(told | _given_back(known)):
        order = Order.objects.get(pk=order_id)
        try:
            cancel(order.token, detail="Cancelled after the backup was made; taken over after the restore.")
            report.cancelled.append(order.number)
        except NotCancellable as refused:
            report.not_cancelled.append(f"{refused} It was cancelled after the backup, though.")
    _reserve_first(known)


def _reserve_first(charged: Iterable[int]) -> None:
    """Orders that were served after the backup keep their stock, whichever step comes first when the shop opens."""
    served = [order_id for (order_id,) in sql.rows(_SERVED, {"charged": list(charged)})]
    if served:
        scheduling.release(inventory.reserve(served).done, timezone.now())


def _given_back(known: Mapping[int, tuple[Intent, UUID]]) -> set[int]:
    """Those whose money went back because they were cancelled: under the key of such a refund, and not by hand."""

    async def look(charge: tuple[Intent, UUID]) -> bool:
        intent, payment = charge
        if not intent.captured_minor or intent.left_minor:
            return False
        return any(keys.is_rest(payment, one.key) for one in await gateway().returns(intent.reference))

    found, errors = ask_all(known, look)
    for error in errors.values():
        raise error
    return {order_id for order_id, cancelled in found.items() if cancelled}


def _lose(report: Report, charges: Iterable[Listed], *, payments_unread: bool) -> None:
    """List what was done for orders that are in no book. A payment provider without a ledger has its list."""
    restore = report.restore
    sql.count(_LOSE, {**_PARAMS, "restore": restore.pk})
    if payments_unread:
        named = {id_of(listed.order_number) or 0 for listed in charges}
        known = set(Order.objects.filter(pk__in=named).values_list("pk", flat=True))
        LostCall.objects.bulk_create(
            (
                LostCall(
                    restore=restore,
                    provider=PAYMENTS,
                    kind=listed.intent.status,
                    reference=listed.intent.reference,
                    key=listed.key or "",
                    order_number=listed.order_number,
                    amount_minor=listed.intent.captured_minor,
                    currency=listed.currency,
                )
                for listed in charges
                if id_of(listed.order_number) not in known
            ),
            ignore_conflicts=True,
        )
    report.lost = list(restore.lost_calls.all())
