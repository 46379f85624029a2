"""Discarding dead letters, with a reason. No order is lost with one.

A letter that nothing waits for (a text that need not be sent any more, a message nobody can read) is simply closed.
Without the letter that holds it up, an order would be forgotten. So such a letter is closed only together with its
order, which is cancelled: stock and money go back, and the customer is notified. Where the order can no longer be
cancelled the letter stays open, and the answer says what to do instead. On its own page there is more that ends an
order: taking a parcel back, or money that was given back another way.
"""

from collections.abc import Collection
from dataclasses import dataclass, field

from django.db import transaction
from django.db.models import QuerySet

from orders.cancelling import NotCancellable, cancel
from orders.models import Order
from workers.deadletters.choosing import open_letters
from workers.deadletters.replaying import lock_open, resolve
from workers.models import DeadLetter, DeadLetterAction

_WHY_NOT_ALONE = (
    "Order {} waits for its dead letter, and would be forgotten without it. Replay the letter, or discard it and "
    "cancel the order."
)


@dataclass(slots=True)
class Discarded:
    """How many letters were closed, which orders were cancelled with them, and why others were kept."""

    letters: int = 0
    cancelled: list[str] = field(default_factory=list)
    kept: list[str] = field(default_factory=list)


def discard(letters: QuerySet[DeadLetter], by: str, why: str, *, cancel_orders: bool = False) -> Discarded:
    """Close these open letters for this reason; with `cancel_orders`, cancel the orders that they hold up."""
    why = why.strip()
    if not why:
        raise ValueError("Discarding a dead letter needs a reason: say why nothing is left to do about it.")
    result = Discarded()
    with transaction.atomic():
        found = lock_open(letters)
        held_up = _held_up(found)
        free = [letter for letter in found if letter.order_id not in held_up]
        resolve(free, DeadLetterAction.Kind.DISCARDED, by, why=why)
        result.letters += len(free)
        for order in held_up.values():
            holding = [letter for letter in found if letter.order_id == order.pk]
            if refused := _cancel(order, why) if cancel_orders else _WHY_NOT_ALONE.format(order.number):
                result.kept.append(refused)
                continue
            resolve(holding, DeadLetterAction.Kind.CANCELLED, by, why=why)
            result.letters += len(holding)
            result.cancelled.append(order.number)
    return result


def _held_up(letters: Collection[DeadLetter]) -> dict[int, Order]:
    """The orders that would be forgotten without these letters."""
    stopping = [letter.order_id for letter in letters if letter.stops_order and letter.order_id is not None]
    others = open_letters().filter(stops_order=True).exclude(pk__in=[letter.pk for letter in letters])
    held_up = Order.objects.filter(pk__in=stopping, due_at=None, ended_at=None).exclude(
        pk__in=others.filter(order__in=stopping).values("order")
    )
    return {order.pk: order for order in held_up.order_by("pk")}


def _cancel(order: Order, why: str) -> str:
    """Cancel the order; "", or why it could not be cancelled."""
    try:
        order = cancel(order.token, detail=f"Cancelled by the shop: {why}")
    except NotCancellable as reason:
        return (
            f"{reason} Its dead letters are kept: mend what failed and replay them, or end the order on its own "
            "page."
        )
    if order.due_at is None:
        return (
            f"Order {order.number} was cancelled before, and giving back its stock or its money failed. "
            "Its dead letters are kept: mend what failed and replay them, or end the order on its own page."
        )
    return ""
