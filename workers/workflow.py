"""Makes of what is left of an order (orders.workflow.remaining) a canvas of Celery tasks, for a batch at a time."""

from collections.abc import Sequence
from typing import Any

from celery import chain, group
from celery.canvas import Signature

from orders.workflow import Plan
from workers.celery import app


def canvas(plan: Plan, ids: Sequence[int]) -> Signature[Any]:
    """The plan for a batch of orders, as Celery tasks: the first gets the ids, each passes on those that go on.

    The task after a group gets the whole batch: whether the group has done its work is read from the database.
    """
    batch = list(ids)
    parts: list[Signature[Any]] = []
    after_group = False
    for index, part in enumerate(plan):
        arguments = (batch,) if index == 0 or after_group else ()
        after_group = isinstance(part, tuple)
        steps = part if isinstance(part, tuple) else (part,)
        signatures = [app.signature(step.value, arguments, immutable=bool(arguments)) for step in steps]
        parts.append(group(signatures) if isinstance(part, tuple) else signatures[0])
    return chain(*parts)
