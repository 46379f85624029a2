"""Taking dead letters up again: their orders are due at once, and go on where they stopped.

Replaying twice does no more than replaying once: the letters are locked, and those already resolved are left out.
"""

from collections.abc import Collection

from django.db import transaction
from django.db.models import QuerySet
from django.utils import timezone

from orders import scheduling
from orders.models import Document, Notification, OrderEvent
from orders.states import EventKind
from orders.workflow import STEPS
from shop.videos.actions import retry
from shop.videos.models import Video
from workers.deadletters.burying import CLEAR_VIDEO, DOCUMENTS
from workers.deadletters.choosing import open_letters
from workers.models import DeadLetter, DeadLetterAction, Replay


def lock_open(letters: QuerySet[DeadLetter]) -> list[DeadLetter]:
    """Lock those of the letters that are open, by id. A second caller waits, and finds those still open."""
    chosen = open_letters().filter(pk__in=letters.order_by().values("pk"))
    return list(chosen.select_for_update().order_by("id"))


def replay(letters: QuerySet[DeadLetter], by: str, *, why: str = "", under: Replay | None = None) -> int:
    """Make the orders of these open dead letters due again; returns how many of the letters were taken up.

    Letters that are resolved, or about neither an order nor a video, are left as they are. An order tries again all
    that remains of it, so the other letters that stop the same order are taken up too.
    """
    with transaction.atomic():
        opened = lock_open(letters)
        videos = [letter for letter in opened if letter.video_id is not None and _taken_up(letter)]
        resolve(videos, DeadLetterAction.Kind.REPLAYED, by, why=why, under=under)
        found = [letter for letter in opened if letter.order_id is not None]
        orders = _orders(found)
        chosen = {letter.pk for letter in found}
        others = DeadLetter.objects.filter(order__in=orders, stops_order=True).exclude(pk__in=chosen)
        found += lock_open(others)
        resolve(found, DeadLetterAction.Kind.REPLAYED, by, why=why, under=under)
        reopen(found)
        OrderEvent.objects.bulk_create(
            OrderEvent(order_id=order_id, kind=EventKind.REPLAYED, detail=f"by {by}") for order_id in orders
        )
        scheduling.make_due(orders)
    return len(chosen) + len(videos)


def note(letters: QuerySet[DeadLetter], by: str, why: str) -> int:
    """Write a sentence into the history of these letters, open or not. Returns how many letters they are."""
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
    """Close these locked letters, and write down who did it and why."""
    said = f"{kind.label.lower()} by {by}: {why}" if why else f"{kind.label.lower()} by {by}"
    DeadLetter.objects.filter(pk__in=[letter.pk for letter in letters]).update(
        resolved_at=timezone.now(), resolution=said[:300]
    )
    DeadLetterAction.objects.bulk_create(
        DeadLetterAction(letter=letter, kind=kind, by=by, why=why[:300], replay=under) for letter in letters
    )


def reopen(letters: Collection[DeadLetter]) -> None:
    """Messages and PDFs that were given up without stopping their orders are wanted again."""
    for step, spec in STEPS.items():
        orders = _orders(letters, step.value) if spec.channel else []
        if orders:
            Notification.objects.filter(
                order_id__in=orders, channel=spec.channel, status=Notification.Status.FAILED
            ).update(status=Notification.Status.REQUESTED, failures=0)
    if unprinted := _orders(letters, DOCUMENTS):
        Document.objects.filter(order_id__in=unprinted, file="").update(
            due_at=timezone.now(), attempts=0, failures=0
        )


def _taken_up(letter: DeadLetter) -> bool:
    """Have the letter's video made, or cleared away, after all. False if that is not possible or was begun already."""
    video = Video.objects.get(dead_letters=letter)
    if video.state in Video.UNDER_WAY:
        return True  # with another letter of it
    if letter.task != CLEAR_VIDEO:
        return retry(video, "a replay")
    return bool(
        Video.objects.filter(pk=video.pk, due_at=None).update(due_at=timezone.now(), attempts=0, failures=0)
    )


def _orders(letters: Collection[DeadLetter], task: str = "") -> list[int]:
    """The orders of these letters, or of those of one task, by id."""
    ids = {letter.order_id for letter in letters if task in ("", letter.task)}
    return sorted(order_id for order_id in ids if order_id is not None)
