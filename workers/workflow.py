"""The workflow is a function of how an order stands: `remaining` names what is left, `canvas` makes Celery do it.

A fresh order, one whose worker died, and one that a person replays all come through here. Losing a chain or a chord
is harmless: the order falls due again and `remaining` says what is still missing.
"""

from collections.abc import Sequence
from enum import StrEnum

from celery import chain, group
from celery.canvas import Signature

from orders.facts import Facts
from orders.states import FAILED_STATES, OrderStatus, PaymentMethod
from workers.celery import app


class Step(StrEnum):
    """Each step is the task of that name (workers.tasks)."""

    RESERVE = "inventory.reserve"
    CHARGE = "payment.charge"
    EMAIL = "email.send"
    SMS = "sms.send"
    INVOICE = "inventory.invoice"
    SHIP = "shipping.book"
    COMPLETE = "inventory.complete"
    RELEASE = "inventory.release"
    GIVE_BACK = "payment.give_back"
    CLOSE = "inventory.close"


# Steps one after the other; a tuple within is a group whose steps go side by side.
Plan = tuple[Step | tuple[Step, ...], ...]

_EVERYTHING = (Step.EMAIL, Step.SMS, Step.INVOICE, Step.SHIP)


def remaining(facts: Facts) -> Plan:
    """What is left to do for an order, () if nothing."""
    if facts.status in FAILED_STATES or facts.status == OrderStatus.REFUNDED:
        return _clearing_up(facts)
    if facts.status == OrderStatus.COMPLETED:
        # A part of it that was promised back, a message that was given up and is replayed
        return (Step.GIVE_BACK, *(_untold(facts) or (Step.CLOSE,))) if facts.owes_refund else _untold(facts)
    undone = _undone(facts)
    fulfil: Plan = (undone, Step.COMPLETE) if undone else (Step.COMPLETE,)
    if facts.status == OrderStatus.PAID:
        return fulfil
    charge: Plan = (Step.CHARGE,) if facts.payment_method == PaymentMethod.CARD else ()
    if facts.status == OrderStatus.PLACED:
        return (Step.RESERVE, *charge, *fulfil)
    return (*charge, *fulfil)


def _undone(facts: Facts) -> tuple[Step, ...]:
    done = (facts.emailed, facts.texted, facts.invoiced, facts.shipped)
    return tuple(step for step, is_done in zip(_EVERYTHING, done, strict=True) if not is_done)


def _clearing_up(facts: Facts) -> Plan:
    plan: list[Step | tuple[Step, ...]] = []
    if facts.holds_stock and facts.status != OrderStatus.REFUNDED:
        plan.append(Step.RELEASE)
    if facts.holds_money or facts.owes_refund:
        plan.append(Step.GIVE_BACK)
    return (*plan, *(_untold(facts) or (Step.CLOSE,)))


def _untold(facts: Facts) -> Plan:
    """Tell the customer what is not told yet and close; () when all is told."""
    untold = tuple(step for step, told in ((Step.EMAIL, facts.emailed), (Step.SMS, facts.texted)) if not told)
    return (untold, Step.CLOSE) if untold else ()


def steps(plan: Plan) -> tuple[Step, ...]:
    """All steps of a plan, those of its groups too."""
    return tuple(step for part in plan for step in (part if isinstance(part, tuple) else (part,)))


def first(plan: Plan) -> tuple[Step, ...]:
    """The steps that a plan begins with, side by side."""
    return plan[0] if isinstance(plan[0], tuple) else (plan[0],)


def canvas(plan: Plan, ids: Sequence[int]) -> Signature:
    """The plan for a batch of orders, as Celery tasks: the first gets the ids, each hands on those that go on.

    What follows a group gets all of the batch: whether the group has done its work is read from the database.
    """
    batch = list(ids)
    parts: list[Signature] = []
    after_group = False
    for index, part in enumerate(plan):
        arguments = (batch,) if index == 0 or after_group else ()
        after_group = isinstance(part, tuple)
        steps = part if isinstance(part, tuple) else (part,)
        signatures = [app.signature(step.value, arguments, immutable=bool(arguments)) for step in steps]
        parts.append(group(signatures) if isinstance(part, tuple) else signatures[0])
    return chain(*parts)
