"""Holds the provider's list of charges against our books, in both directions, for a window of time.

The charge and give-back steps ask the provider about what they have asked for. This asks about everything else: what
was charged behind our back, what our books claim and nobody knows, what was refunded by hand, what a refund that
failed days later left with us.

1. Every charge in the provider's list is compared with the order that it names.
2. Every capture of our books in the window that the list did not show is looked up.
3. Every finding that is still open is looked up again; it resolves itself when both agree.

Whatever differs (orders.payments.comparing) is read once more from both sides before anything is made of it, for the
list is older than our books by the time that it took to read.

**Mended** is only what driving the order mends: one that has ended without goods while the provider holds its money is
driven again, and `refunding.refund` gives the money back. **Raised** as a finding is the rest: a person decides.
"""

from collections.abc import AsyncIterator, Collection, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, LiteralString

from django.conf import settings
from django.db import transaction
from django.db.models import F
from django.utils import timezone

from orders import scheduling, sql
from orders.locking import lock_orders
from orders.models import Finding, OrderEvent
from orders.models.order import id_of
from orders.money import format
from orders.payments import comparing
from orders.payments.comparing import UNDER_WAY, WITHOUT_GOODS, Books, Charge, Difference, compare
from orders.payments.gateway import Intent, Listed, gateway
from orders.providers.failures import ProviderError
from orders.providers.http import client, each
from orders.states import EventKind, OrderStatus

_BATCH = 500

_COLUMNS: LiteralString = """
SELECT o.id, o.status, o.due_at IS NOT NULL, o.ended_at IS NOT NULL, o.currency, p.key, coalesce(p.reference, ''),
       coalesce(p.captured_minor, 0), coalesce(p.refunded_minor, 0), coalesce(p.promised_minor, 0),
       coalesce(p.updated_at, o.placed_at)
FROM orders_order o LEFT JOIN orders_payment p ON p.order_id = o.id
"""
_BOOKS: LiteralString = (
    _COLUMNS
    + """WHERE o.id = ANY(%(orders)s)
UNION
"""
    + _COLUMNS
    + "WHERE p.reference = ANY(%(references)s) AND p.reference <> ''"
)
# Captured in the window, or called paid in the window without a capture.
_CLAIMED: LiteralString = (
    _COLUMNS
    + """
WHERE o.payment_method = 'card' AND (p.captured_minor > 0 OR o.status IN ('paid', 'completed'))
  AND coalesce(p.updated_at, o.placed_at) BETWEEN %(since)s AND %(until)s
ORDER BY o.id
"""
)
_TAKE_UP: LiteralString = """
UPDATE orders_payment p SET status = 'requested', reference = %(reference)s, captured_minor = %(captured)s,
                            refunded_minor = %(refunded)s, failures = 0, updated_at = now()
FROM orders_order o
WHERE o.id = p.order_id AND o.id = %(order_id)s AND o.due_at IS NULL AND o.ended_at IS NOT NULL
  AND %(captured)s::bigint BETWEEN p.promised_minor AND p.amount_minor
"""


@dataclass
class Report:
    """What a look did; `raised` are the findings that are open after it."""

    since: datetime
    began_at: datetime
    charges: int = 0
    payments: int = 0
    mended: list[str] = field(default_factory=list)
    resolved: list[str] = field(default_factory=list)
    raised: list[Finding] = field(default_factory=list)


def reconcile(since: datetime) -> Report:
    """Compare all that was charged since then. May run at any moment and under any load; two at once find the same.

    Raises ProviderError when the provider's list cannot be read: nothing is resolved by a list that was cut short.
    """
    report = Report(since, timezone.now())
    seen: set[str] = set()
    for batch in _batches(since):
        report.charges += len(batch)
        seen.update(listed.intent.reference for listed in batch)
        _look(report, [_charge(listed) for listed in batch], [id_of(listed.order_number) for listed in batch])
    _look_at_claims(report, since, seen)
    _look_again(report)
    report.raised = list(Finding.objects.filter(gateway=_gateway(), resolved_at=None))
    return report


def _batches(since: datetime) -> Iterable[list[Listed]]:
    charges = gateway().list(since)
    while batch := client().run(_some(charges)):
        yield batch


async def _some(charges: AsyncIterator[Listed]) -> list[Listed]:
    batch: list[Listed] = []
    async for listed in charges:
        batch.append(listed)
        if len(batch) == _BATCH:
            break
    return batch


def _charge(listed: Listed) -> Charge:
    return Charge(listed.intent, listed.currency, listed.created_at, listed.key)


def _look(report: Report, charges: Sequence[Charge], orders: Sequence[int | None]) -> None:
    """Compare charges with the orders that they name, or that know them; make something of what differs."""
    known = _books([order for order in orders if order], [charge.intent.reference for charge in charges])
    by_order = {ours.order_id: ours for ours in known}
    by_reference = {ours.reference: ours for ours in known if ours.reference}
    now = timezone.now()
    suspects: list[tuple[Charge, int | None]] = []
    for charge, order in zip(charges, orders, strict=True):
        ours = by_reference.get(charge.intent.reference) or by_order.get(order or 0)
        if isinstance(compare(charge, ours, now), Difference):
            suspects.append((charge, ours.order_id if ours else None))
    for charge, order in suspects:
        _make_sure(report, charge, order)


def _make_sure(report: Report, charge: Charge, order_id: int | None) -> None:
    """Read both sides once more, and mend or raise what still differs."""
    intent = client().run(gateway().find(key=charge.key or "", reference=charge.intent.reference))
    now = Charge(intent, charge.currency, charge.created_at, charge.key) if intent else charge
    [ours] = _books([order_id], []) if order_id else [None]
    difference = compare(now, ours, timezone.now())
    if isinstance(difference, Difference):
        _act(report, difference, now.intent)


def _look_at_claims(report: Report, since: datetime, seen: Collection[str]) -> None:
    """What our books call captured, and the list did not show: charged before the window, or not at all."""
    claims = [
        _of(row) for row in sql.rows(_CLAIMED, {"since": since, "until": timezone.now() - comparing.SETTLE})
    ]
    report.payments += len(claims)
    unseen = [ours for ours in claims if ours.reference not in seen and not ours.driven]
    for start in range(0, len(unseen), _BATCH):
        batch = unseen[start : start + _BATCH]
        answers = client().run(each(batch, _find))
        for ours, intent in zip(batch, answers, strict=True):
            if isinstance(intent, ProviderError):
                raise intent
            if intent is None:
                _miss(ours.order_id)
            else:
                _look(
                    report, [Charge(intent, ours.currency, since - comparing.SETTLE, None)], [ours.order_id]
                )


async def _find(ours: Books) -> Intent | None:
    return await gateway().find(key="", reference=ours.reference) if ours.reference else None


def _miss(order_id: int) -> None:
    """The provider does not know a charge that our books have."""
    [ours] = _books([order_id], [])
    if ours.driven or ours.changed_at > timezone.now() - comparing.SETTLE:
        return
    detail = (
        f"Order {ours.number} is {ours.status.label.lower()} with {format(ours.captured_minor, ours.currency)} "
        "captured in our books, and the provider has no such charge. Find out before the goods leave."
    )
    _raise(
        Difference(
            Finding.Kind.CAPTURE_MISSING,
            ours.reference or ours.number,
            ours.order_id,
            ours.currency,
            ours.captured_minor,
            0,
            detail,
        )
    )


def _look_again(report: Report) -> None:
    """Findings that this look has not raised: most of them agree by now."""
    for finding in Finding.objects.filter(
        gateway=_gateway(), resolved_at=None, last_seen_at__lt=report.began_at
    ):
        reference = "" if finding.reference.startswith("S-") else finding.reference
        intent = client().run(gateway().find(key="", reference=reference)) if reference else None
        books = _books([finding.order_id], []) if finding.order_id else []
        ours = books[0] if books else None
        if intent is None:
            settled = ours is None or (ours.captured_minor == 0 and ours.status in WITHOUT_GOODS)
            verdict: Difference | str | None = None if settled else UNDER_WAY
        else:
            verdict = compare(
                Charge(intent, finding.currency, finding.first_seen_at - comparing.SETTLE, None),
                ours,
                timezone.now(),
            )
        if isinstance(verdict, Difference):
            _act(report, verdict, intent)
        if verdict is None or (isinstance(verdict, Difference) and verdict.kind != finding.kind):
            _resolve(report, finding)


def _act(report: Report, difference: Difference, intent: Intent | None) -> None:
    if difference.mends and intent and difference.order_id and _take_up(difference.order_id, intent):
        report.mended.append(difference.detail.partition(". ")[0] + ": it is being given back.")
    else:
        _raise(difference)


def _take_up(order_id: int, intent: Intent) -> bool:
    """Have an order that has ended without goods driven again, knowing what the provider holds of it."""
    with transaction.atomic():
        if not lock_orders([order_id], WITHOUT_GOODS):
            return False
        changed = sql.count(
            _TAKE_UP,
            {
                "order_id": order_id,
                "reference": intent.reference,
                "captured": intent.captured_minor,
                "refunded": intent.refunded_minor,
            },
        )
        if changed:
            OrderEvent.objects.create(
                order_id=order_id,
                kind=EventKind.REPLAYED,
                detail="by the reconciler: the provider still held money of it",
            )
            for status in WITHOUT_GOODS:
                scheduling.reopen([order_id], status)
        return bool(changed)


def _raise(difference: Difference) -> None:
    """Open a finding, or note that it was seen again."""
    about = {
        "order_id": difference.order_id,
        "currency": difference.currency,
        "ours_minor": difference.ours_minor,
        "theirs_minor": difference.theirs_minor,
        "detail": difference.detail[:300],
        "last_seen_at": timezone.now(),
    }
    _, opened = Finding.objects.get_or_create(
        gateway=_gateway(),
        kind=difference.kind,
        reference=difference.reference,
        resolved_at=None,
        defaults=about,
    )
    if not opened:
        Finding.objects.filter(
            gateway=_gateway(), kind=difference.kind, reference=difference.reference, resolved_at=None
        ).update(times=F("times") + 1, **about)


def _resolve(report: Report, finding: Finding) -> None:
    done = Finding.objects.filter(pk=finding.pk, resolved_at=None).update(
        resolved_at=timezone.now(), resolution="Both agree again."
    )
    if done:
        report.resolved.append(finding.detail.partition(". ")[0] + ": both agree again.")


def _books(orders: Collection[int], references: Collection[str]) -> list[Books]:
    return [_of(row) for row in sql.rows(_BOOKS, {"orders": list(orders), "references": list(references)})]


def _of(row: tuple[Any, ...]) -> Books:
    order_id, status, *rest = row
    return Books(order_id, OrderStatus(status), *rest)


def _gateway() -> str:
    return str(settings.PAYMENT_GATEWAY)[:100]
