"""Compares the provider's list of charges with our books, in both directions, for a window of time.

The steps `charge` and `refund` ask the provider about their own calls. This asks about all the rest: charges that we
did not make, captures that the provider does not know, refunds made by hand, refunds that failed days later.

1. Compare every charge in the provider's list with the order that it names.
2. Look up every capture of our books in the window that the list did not show.
3. Compare every refund and dispute in the provider's lists with our books, however old its charge is, and every dispute
   of our books that is not decided.
4. Look up every finding that is still open; it resolves itself when both agree.

Reading the list takes time, so our books are newer than it: whatever differs (orders.payments.comparing) is read once
more from both sides before anything is done about it.

**Mended** is an order that ended without goods while the provider holds its money: it is made due, and
`refunding.refund` gives the money back. So is one of which the provider has given back more than our books know: the
same step takes that over. **Raised** as a finding is the rest: a person decides.
"""

from collections.abc import AsyncIterator, Collection, Iterable, Sequence
from dataclasses import asdict, dataclass, field, replace
from datetime import datetime
from typing import Any, LiteralString, NamedTuple, TypeVar

from django.conf import settings
from django.db import transaction
from django.db.models import F
from django.utils import timezone

from orders import scheduling, sql
from orders.locking import lock_orders
from orders.models import Finding, OrderEvent
from orders.models.order import id_of_exactly
from orders.money import format
from orders.payments import comparing, taking_over
from orders.payments.comparing import UNDER_WAY, Books, Difference, compare
from orders.payments.gateway import Intent, Listed, Returned, gateway
from orders.providers.failures import Refused
from orders.providers.http import ask_all, client
from orders.states import END_STATES, WITHOUT_GOODS, EventKind, OrderStatus

_BATCH = 500
T = TypeVar("T")

# The fields of comparing.Books.
_COLUMNS: LiteralString = """
SELECT o.id, o.status, o.due_at IS NOT NULL, o.ended_at IS NOT NULL, o.currency, p.key, coalesce(p.reference, ''),
       coalesce(p.captured_minor, 0), coalesce(p.refunded_minor, 0), coalesce(p.promised_minor, 0),
       coalesce(p.updated_at, o.placed_at),
       coalesce((SELECT sum(v.amount_minor) FROM orders_reversal v
                 WHERE v.order_id = o.id AND v.kind = 'dispute' AND v.status = 'given_back'), 0)::bigint,
       coalesce(p.outside_minor, 0)
FROM orders_order o LEFT JOIN orders_payment p ON p.order_id = o.id
"""
# Orders by their id, or by the provider's reference of their charge.
_BOOKS: LiteralString = sql.compose(
    """
$columns WHERE o.id = ANY(%(orders)s)
UNION
$columns WHERE p.reference = ANY(%(references)s) AND p.reference <> ''
""",
    columns=_COLUMNS,
)
# Captured in the window, or called paid in the window without a capture.
_CLAIMED: LiteralString = sql.compose(
    """
$columns
WHERE o.payment_method = 'card' AND (p.captured_minor > 0 OR o.status IN ('paid', 'completed'))
  AND coalesce(p.updated_at, o.placed_at) BETWEEN %(since)s AND %(until)s
ORDER BY o.id
""",
    columns=_COLUMNS,
)
# Charges with a dispute that is not decided, in our books.
_UNDECIDED: LiteralString = """
SELECT DISTINCT p.reference FROM orders_reversal v JOIN orders_payment p ON p.order_id = v.order_id
WHERE v.status IN ('asked', 'open') ORDER BY p.reference
"""
# Write what the provider holds of an order that has ended, so that the refund step gives it back.
_TAKE_UP: LiteralString = """
UPDATE orders_payment p SET status = 'requested', reference = %(reference)s, captured_minor = %(captured)s,
                            refunded_minor = %(refunded)s, failures = 0, updated_at = now()
FROM orders_order o
WHERE o.id = p.order_id AND o.id = %(order_id)s AND o.due_at IS NULL AND o.ended_at IS NOT NULL
  AND %(captured)s::bigint BETWEEN p.promised_minor AND p.amount_minor
  AND p.outside_minor <= %(captured)s::bigint - %(refunded)s::bigint
"""


@dataclass
class Report:
    """What one run did; `raised` are the findings that are open after it."""

    since: datetime
    began_at: datetime
    charges: int = 0
    payments: int = 0
    mended: list[str] = field(default_factory=list)
    resolved: list[str] = field(default_factory=list)
    raised: list[Finding] = field(default_factory=list)


def reconcile(since: datetime) -> Report:
    """Compare all that was charged since then, at any moment and under any load; two runs at once find the same.

    Raises ProviderError when the provider's list cannot be read to its end: half a list resolves nothing.
    """
    report = Report(since, timezone.now())
    seen: set[str] = set()
    for batch in _in_batches(gateway().list(since)):
        report.charges += len(batch)
        seen.update(listed.intent.reference for listed in batch)
        _look(report, batch, [id_of_exactly(listed.order_number) for listed in batch])
    _look_at_claims(report, since, seen)
    _look_at_returns(report, since)
    _look_again(report)
    report.raised = list(Finding.objects.filter(gateway=_gateway(), resolved_at=None))
    return report


def _in_batches(listed: AsyncIterator[T]) -> Iterable[list[T]]:
    while batch := client().run(_some(listed)):
        yield batch


async def _some(listed: AsyncIterator[T]) -> list[T]:
    batch: list[T] = []
    async for one in listed:
        batch.append(one)
        if len(batch) == _BATCH:
            break
    return batch


def _look(report: Report, charges: Sequence[Listed], orders: Sequence[int | None]) -> None:
    """Compare charges with the orders that they name or that know them, and act on what differs."""
    known = _books([order for order in orders if order], [charge.intent.reference for charge in charges])
    by_order = {ours.order_id: ours for ours in known}
    by_reference = {ours.reference: ours for ours in known if ours.reference}
    now = timezone.now()
    suspects: list[tuple[Listed, int | None]] = []
    for charge, order in zip(charges, orders, strict=True):
        ours = by_reference.get(charge.intent.reference) or by_order.get(order or 0)
        if isinstance(compare(charge, ours, now), Difference):
            suspects.append((charge, ours.order_id if ours else None))
    for charge, order in suspects:
        _make_sure(report, charge, order)


def _make_sure(report: Report, charge: Listed, order_id: int | None) -> None:
    """Read both sides once more, and mend or raise what still differs."""
    intent = client().run(gateway().find(key=charge.key or "", reference=charge.intent.reference))
    now = replace(charge, intent=intent) if intent else charge
    difference = compare(now, _order(order_id), timezone.now())
    if isinstance(difference, Difference):
        _act(report, difference, now.intent)


def _look_at_claims(report: Report, since: datetime, seen: Collection[str]) -> None:
    """What our books call captured and the list did not show: charged before the window, or not at all."""
    found = sql.rows(_CLAIMED, {"since": since, "until": timezone.now() - comparing.SETTLE})
    report.payments += len(found)
    unseen = [ours for ours in map(_of, found) if ours.reference not in seen and not ours.scheduled]
    for start in range(0, len(unseen), _BATCH):
        claims = {ours.order_id: ours for ours in unseen[start : start + _BATCH]}
        intents, errors = ask_all(claims, _find)
        for error in errors.values():
            raise error
        for order_id, intent in intents.items():
            if intent is None:
                _miss(order_id)
            else:
                _look(report, [_old(intent, claims[order_id].currency, since)], [order_id])


async def _find(ours: Books) -> Intent | None:
    return await gateway().find(key="", reference=ours.reference) if ours.reference else None


def _old(intent: Intent, currency: str, since: datetime) -> Listed:
    """A charge that was looked up: it was made before that time."""
    return Listed(intent, currency, since - comparing.SETTLE)


def _miss(order_id: int) -> None:
    """The provider does not know a charge that our books have."""
    ours = _order(order_id)
    if ours is None or ours.under_way(timezone.now()):
        return
    detail = (
        f"Order {ours.number} is {ours.status.label.lower()} with {format(ours.captured_minor, ours.currency)} "
        "captured in our books, and the provider has no such charge. Find out before the goods leave."
    )
    reference, kind = ours.reference or ours.number, Finding.Kind.CAPTURE_MISSING
    _raise(Difference(kind, reference, order_id, ours.currency, ours.captured_minor, 0, detail))


def _look_at_returns(report: Report, since: datetime) -> None:
    """Refunds and disputes that our books do not have as they are now."""
    for batch in _in_batches(gateway().returned(since)):
        _look_at(report, batch)
    undecided = {number: _Undecided(*row) for number, row in enumerate(sql.rows(_UNDECIDED, {}))}
    found, errors = ask_all(undecided, _returns)
    for error in errors.values():
        if not isinstance(error, Refused):  # a charge of another gateway, which this one does not know
            raise error
    _look_at(report, [one for returns in found.values() for one in returns])


class _Undecided(NamedTuple):
    reference: str


async def _returns(charge: _Undecided) -> list[Returned]:
    return await gateway().returns(charge.reference)


def _look_at(report: Report, returns: Sequence[Returned]) -> None:
    by_reference = {one.reference: one for one in returns}
    for order_id, references in taking_over.unknown(returns).items():
        ours = _order(order_id)
        if ours is None or ours.under_way(timezone.now()):
            continue
        unknown = [by_reference[reference] for reference in references]
        detail = f"Of order {ours.number} {_told(unknown, ours.currency)} at the provider. "
        if ours.ended:
            _take_over(report, order_id, detail)
        else:
            _raise(_waiting(ours, unknown, detail))


def _waiting(ours: Books, unknown: Sequence[Returned], detail: str) -> Difference:
    """Our books take it over when the order has ended, and this one waits for a person."""
    disputed = any(one.is_dispute for one in unknown)
    amount = sum(one.amount_minor for one in unknown)
    return Difference(
        Finding.Kind.DISPUTED if disputed else Finding.Kind.REFUND_UNKNOWN,
        unknown[0].charge,
        ours.order_id,
        ours.currency,
        ours.refunded_minor,
        ours.refunded_minor + amount,
        f"{detail}It is taken over when the order has ended: replay its dead letter, or cancel it.",
    )


def _told(unknown: Sequence[Returned], currency: str) -> str:
    """Each in words: "£68.00 were given back (re_1), £5.00 are disputed (dp_2)"."""
    verbs = {"given_back": "were given back", "won": "were disputed and stay ours"}
    return ", ".join(
        f"{format(one.amount_minor, currency)} {verbs.get(one.status, 'are disputed')} ({one.reference})"
        for one in unknown
    )


def _take_over(report: Report, order_id: int, detail: str) -> None:
    """Have an order's refunds and disputes read, and taken over."""
    with transaction.atomic():
        lock_orders([order_id], tuple(END_STATES))
        if taking_over.look([order_id]):
            report.mended.append(detail.partition(". ")[0] + ": it is being taken over.")


def _look_again(report: Report) -> None:
    """Findings that this run has not raised: most of them agree by now."""
    for finding in Finding.objects.filter(
        gateway=_gateway(), resolved_at=None, last_seen_at__lt=report.began_at
    ):
        reference = "" if finding.reference.startswith("S-") else finding.reference
        intent = client().run(gateway().find(key="", reference=reference)) if reference else None
        ours = _order(finding.order_id)
        verdict: Difference | str | None
        if intent and finding.kind == Finding.Kind.DISPUTED:
            returns = client().run(gateway().returns(reference))
            _look_at(report, returns)
            verdict = UNDER_WAY if taking_over.unknown(returns) else None
        elif intent:
            charge = _old(intent, finding.currency, finding.first_seen_at)
            verdict = compare(charge, ours, timezone.now())
        else:
            settled = ours is None or (ours.captured_minor == 0 and ours.status in WITHOUT_GOODS)
            verdict = None if settled else UNDER_WAY
        if isinstance(verdict, Difference):
            _act(report, verdict, intent)
        if verdict is None or (isinstance(verdict, Difference) and verdict.kind != finding.kind):
            _resolve(report, finding)


def _act(report: Report, difference: Difference, intent: Intent | None) -> None:
    if difference.kind == Finding.Kind.REFUND_UNKNOWN and difference.mends and difference.order_id:
        _take_over(report, difference.order_id, difference.detail)
    elif difference.mends and intent and difference.order_id and _take_up(difference.order_id, intent):
        report.mended.append(difference.detail.partition(". ")[0] + ": it is being given back.")
    else:
        _raise(difference)


def _take_up(order_id: int, intent: Intent) -> bool:
    """Make an order due that has ended without goods, knowing what the provider holds of it."""
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
            scheduling.reopen([order_id], WITHOUT_GOODS)
        return bool(changed)


def _raise(difference: Difference) -> None:
    """Open a finding, or note that it was seen again. One that a person closed stays closed while nothing changes."""
    closed = Finding.objects.filter(
        gateway=_gateway(),
        kind=difference.kind,
        reference=difference.reference,
        ours_minor=difference.ours_minor,
        theirs_minor=difference.theirs_minor,
    ).exclude(closed_by="")
    if closed.exists():
        return
    found = asdict(difference) | {"detail": difference.detail[:300], "last_seen_at": timezone.now()}
    del found["mends"]
    Finding.objects.update_or_create(
        gateway=_gateway(),
        kind=found.pop("kind"),
        reference=found.pop("reference"),
        resolved_at=None,
        defaults={**found, "times": F("times") + 1},
        create_defaults=found,
    )


def _resolve(report: Report, finding: Finding) -> None:
    done = Finding.objects.filter(pk=finding.pk, resolved_at=None).update(
        resolved_at=timezone.now(), resolution="Both agree again."
    )
    if done:
        report.resolved.append(finding.detail.partition(". ")[0] + ": both agree again.")


def _books(orders: Collection[int], references: Collection[str]) -> list[Books]:
    return [_of(row) for row in sql.rows(_BOOKS, {"orders": list(orders), "references": list(references)})]


def _order(order_id: int | None) -> Books | None:
    return next(iter(_books([order_id], [])), None) if order_id else None


def _of(row: tuple[Any, ...]) -> Books:
    order_id, status, *rest = row
    return Books(order_id, OrderStatus(status), *rest)


def _gateway() -> str:
    return str(settings.PAYMENT_GATEWAY)[:100]
