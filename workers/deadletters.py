"""Burying what is given up, and taking it up again."""

import traceback
from collections.abc import Collection, Mapping
from hashlib import sha256

from django.db import transaction
from django.db.models import QuerySet
from django.utils import timezone

from orders import driving
from orders.models import Notification, OrderEvent
from orders.notifications.telling import give_up
from orders.states import EventKind
from workers.models import DeadLetter
from workers.workflow import Step

# A side dish never spoils the meal: without these the order goes on.
SIDE_DISHES = {Step.EMAIL: Notification.Channel.EMAIL, Step.SMS: Notification.Channel.SMS}


def bury(step: Step, errors: Mapping[int, BaseException], *, stops: bool = False) -> None:
    """Write a dead letter for each order's failed step; stop the order, or let it go on without a side dish.

    `stops`: the order is not to go on in any case, it is poison.
    """
    with transaction.atomic():
        channel = None if stops else SIDE_DISHES.get(step)
        DeadLetter.objects.bulk_create(
            DeadLetter(
                order_id=order_id,
                task=step.value,
                error_class=f"{type(error).__module__}.{type(error).__qualname__}",
                message=str(error),
                traceback="".join(traceback.format_exception(error)),
                fingerprint=_fingerprint(step, error),
                stops_order=channel is None,
            )
            for order_id, error in errors.items()
        )
        if channel is None:
            for order_id, error in errors.items():
                driving.set_aside([order_id], f"{step.value}: {error}")
        else:
            for order_id in errors:
                give_up(order_id, channel)
            driving.make_due(errors)


def replay(letters: QuerySet[DeadLetter], by: str) -> int:
    """Drive the orders of these open dead letters again; returns how many. A resolved one is left as it is."""
    with transaction.atomic():
        found = list(letters.filter(resolved_at=None).select_for_update().order_by("id"))
        now = timezone.now()
        for letter in found:
            letter.resolved_at, letter.resolution = now, f"replayed by {by}"
        DeadLetter.objects.bulk_update(found, ["resolved_at", "resolution"])
        _reopen_messages(found)
        orders = sorted({letter.order_id for letter in found})
        OrderEvent.objects.bulk_create(
            OrderEvent(order_id=order_id, kind=EventKind.REPLAYED, detail=f"by {by}") for order_id in orders
        )
        driving.make_due(orders)
    return len(found)


def _reopen_messages(letters: Collection[DeadLetter]) -> None:
    for step, channel in SIDE_DISHES.items():
        orders = [letter.order_id for letter in letters if letter.task == step.value]
        if orders:
            Notification.objects.filter(
                order_id__in=orders, channel=channel, status=Notification.Status.FAILED
            ).update(status=Notification.Status.REQUESTED, attempts=0)


def _fingerprint(step: Step, error: BaseException) -> str:
    frames = traceback.extract_tb(error.__traceback__)
    where = f"{frames[-1].filename}:{frames[-1].name}" if frames else ""
    return sha256(f"{step.value} {type(error).__qualname__} {where}".encode()).hexdigest()
