"""Replaying many dead letters: one first, the canary, then the rest at a chosen rate, until one fails again.

The canary is the oldest letter. The rest wait until its step is done for its order. The first letter that fails again,
canary or not, halts the replay, and the letters still to come stay open.

A replay is a row that is due, and one of the relay's duties. A round is one short transaction that holds the replay's
row: any number of relays may do it, and one that dies in it has done nothing.
"""

from datetime import timedelta

from django.db import transaction
from django.db.models import Exists, OuterRef, Q, QuerySet
from django.utils import timezone

from orders.facts import facts_of
from orders.models import Document
from orders.workflow import remaining, steps
from workers.deadletters.burying import DOCUMENTS
from workers.deadletters.choosing import RUNNING
from workers.deadletters.replaying import lock_open, replay
from workers.models import DeadLetter, DeadLetterAction, Replay

DEFAULT_RATE = 10.0  # letters a second
FASTEST = 1_000.0
BEAT = 0.5  # seconds between two rounds of a replay; at more than two letters a second a round takes several

_State = Replay.State


def begin(
    letters: QuerySet[DeadLetter], *, chosen: str, by: str, rate: float = DEFAULT_RATE
) -> Replay | None:
    """Begin a replay of those of the letters that are open and in no other running replay; None if there are none.

    Raises ValueError for a rate out of bounds.
    """
    if not 0 < rate <= FASTEST:
        raise ValueError(
            f"The rate is {rate:g} letters a second; it must be above 0 and at most {FASTEST:g}."
        )
    with transaction.atomic():
        locked = {letter.pk: letter.fingerprint for letter in lock_open(letters.filter(order__isnull=False))}
        # Asked after the lock: only now is a replay seen that another click has begun meanwhile.
        taken = DeadLetter.objects.filter(pk__in=locked, replay__state__in=RUNNING)
        free = sorted(set(locked) - set(taken.values_list("pk", flat=True)))
        if not free:
            return None
        groups = {locked[letter] for letter in free}
        begun = Replay.objects.create(
            chosen=chosen[:300],
            fingerprint=groups.pop() if len(groups) == 1 else "",
            rate=rate,
            total=len(free),
            by=by,
        )
        DeadLetter.objects.filter(pk__in=free).update(replay=begun)
    return begun


def stop(replay_id: int, by: str) -> bool:
    """Stop a running replay; letters still to come stay open. False if it had ended already."""
    return bool(
        Replay.objects.filter(pk=replay_id, state__in=RUNNING).update(
            state=_State.STOPPED, due_at=None, ended_at=timezone.now(), said=f"stopped by {by}"
        )
    )


def run_once() -> None:
    """One round of the replay that is due, if any. Raises Django's OperationalError."""
    advance_one()


def advance_one() -> bool:
    """One round of the replay that has been due longest; whether there was one."""
    with transaction.atomic():
        free = Replay.objects.select_for_update(skip_locked=True)
        due = free.filter(due_at__lte=timezone.now()).order_by("due_at").first()
        if due is None:
            return False
        _advance(due)
        due.save()
    return True


def _advance(due: Replay) -> None:
    again = _failed_again(due)
    due.failed_again = again.count()
    if first := again.order_by("id").first():
        _end(due, _State.HALTED, f"{first.about} failed again at {first.task}: {first.message}")
        return
    if due.state == _State.CANARY and due.replayed:
        if _waits(due):
            due.due_at = timezone.now() + timedelta(seconds=BEAT)
            return
        due.state = _State.ROLLING
    count = 1 if due.state == _State.CANARY else max(1, round(due.rate * BEAT))
    batch = list(due.letters.filter(resolved_at=None).order_by("id").values_list("pk", flat=True)[:count])
    due.replayed += replay(DeadLetter.objects.filter(pk__in=batch), due.by, why=f"replay {due.pk}", under=due)
    if not batch and not _waits(due):
        _end(due, _State.DONE)
        return
    due.due_at = timezone.now() + timedelta(seconds=max(BEAT, len(batch) / due.rate))


def _end(due: Replay, state: Replay.State, said: str = "") -> None:
    due.state, due.said = state, said[:300]
    due.due_at, due.ended_at = None, timezone.now()


def _failed_again(due: Replay) -> QuerySet[DeadLetter]:
    """The dead letters of orders since this replay took them up: of the same step, or stopping the order."""
    taken_up = DeadLetterAction.objects.filter(replay=due)
    before = taken_up.filter(letter__order=OuterRef("order"), at__lt=OuterRef("created_at"))
    return DeadLetter.objects.filter(
        Exists(before.filter(letter__task=OuterRef("task"))) | Q(Exists(before), stops_order=True),
        order__in=taken_up.values("letter__order"),
        created_at__gt=due.created_at,
    )


def _waits(due: Replay) -> bool:
    """Whether an order that was taken up still has to do the step that failed."""
    taken_up = DeadLetterAction.objects.filter(replay=due)
    unprinted = Document.objects.filter(due_at__isnull=False, file="")
    if unprinted.filter(order__in=taken_up.filter(letter__task=DOCUMENTS).values("letter__order")).exists():
        return True
    under_way = taken_up.filter(letter__order__due_at__isnull=False)
    failed = set(under_way.values_list("letter__order", "letter__task"))
    for facts in facts_of(sorted({order_id for order_id, _ in failed})):
        if any((facts.order_id, step.value) in failed for step in steps(remaining(facts))):
            return True
    return False
