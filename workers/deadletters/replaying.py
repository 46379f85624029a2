"""Taking dead letters up again: their orders are due at once, and go on where they stopped.

Replay twice is replay once: the letters are locked, and those that somebody has resolved meanwhile drop out.
"""

from collections.abc import Collection

from django.db import transaction
from django.db.models import QuerySet
from django.utils import timezone

from orders import driving
from orders.models import Document, Notification, OrderEvent
from orders.states import EventKind
from workers.deadletters.burying import DOCUMENTS, SIDE_DISHES
from workers.models import DeadLetter, DeadLetterAction, Replay


def lock_open(letters: QuerySet[DeadLetter]) -> list[DeadLetter]:
    """Lock those of the letters that are open, by id. Whoever comes second waits, and finds fewer."""
    chosen = DeadLetter.objects.filter(pk__in=letters.order_by().values("pk"), resolved_at=None)
    return list(chosen.select_for_update().order_by("id"))


def replay(letters: QuerySet[DeadLetter], by: str, *, why: str = "", under: Replay | None = None) -> int:
    """Drive the orders of these open dead letters again; returns how many letters were taken up.

    A resolved one is left as it is, and so is one that is about no order. Driving an order tries again all that
    remains of it, so with one letter all others that stop the same order are taken up too.
    """
    with transaction.atomic():
        found = [letter for letter in lock_open(letters) if letter.order_id is not None]
        orders = _orders(found)
        chosen = {letter.pk for letter in found}
        others = DeadLetter.objects.filter(order__in=orders, stops_order=True).exclude(pk__in=chosen)
        found += lock_open(others)
        resolve(found, DeadLetterAction.Kind.REPLAYED, by, why=why, under=under)
        reopen(found)
        OrderEvent.objects.bulk_create(
            OrderEvent(order_id=order_id, kind=EventKind.REPLAYED, detail=f"by {by}") for order_id in orders
        )
        driving.make_due(orders)
    return len(chosen)


def note(letters: QuerySet[DeadLetter], by: str, why: str) -> int:
    """Write a sentence into the history of these letters, open or not; returns of how many. They stay as they are."""
    if not why.strip():
        raise ValueError("A note needs words.")
    found = list(letters)
    DeadLetterAction.objects.bulk_create(
        DeadLetterAction(letter=letter, kind=DeadLetterAction.Kind.NOTED, by=by, why=why.strip()[:300])
        for letter in found
    )
    return len(found)


def resolve(
    letters: Collection[DeadLetter],
    kind: DeadLetterAction.Kind,
    by: str,
    *,
    why: str = "",
    under: Replay | None = None,
) -> None:
    """Close these letters, which are locked, and write down who did it and why."""
    said = f"{kind.label.lower()} by {by}: {why}" if why else f"{kind.label.lower()} by {by}"
    DeadLetter.objects.filter(pk__in=[letter.pk for letter in letters]).update(
        resolved_at=timezone.now(), resolution=said[:300]
    )
    DeadLetterAction.objects.bulk_create(
        DeadLetterAction(letter=letter, kind=kind, by=by, why=why[:300], replay=under) for letter in letters
    )


def reopen(letters: Collection[DeadLetter]) -> None:
    """What was given up without stopping its order is wanted again."""
    for step, channel in SIDE_DISHES.items():
        orders = _orders(letters, step.value)
        if orders:
            Notification.objects.filter(
                order_id__in=orders, channel=channel, status=Notification.Status.FAILED
            ).update(status=Notification.Status.REQUESTED, attempts=0)
    if unprinted := _orders(letters, DOCUMENTS):
        Document.objects.filter(order_id__in=unprinted, file="").update(due_at=timezone.now(), drives=0)


def _orders(letters: Collection[DeadLetter], task: str = "") -> list[int]:
    """The orders of these letters, or of those of one task, by id."""
    ids = {letter.order_id for letter in letters if task in ("", letter.task)}
    return sorted(order_id for order_id in ids if order_id is not None)
