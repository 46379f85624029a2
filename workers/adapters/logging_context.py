"""What each line is about that a task logs: the task by name and id, and the numbers of the orders of its batch."""

from typing import Any

from celery.signals import task_postrun, task_prerun
from structlog.contextvars import bind_contextvars, clear_contextvars

from orders.models.order import number_of
from workers.steps import StepTask


@task_prerun.connect
def begin(sender: Any, task_id: str, args: Any = (), **_: Any) -> None:
    clear_contextvars()
    bind_contextvars(task=sender.name, task_id=task_id)
    if isinstance(sender, StepTask):
        bind_contextvars(orders=[number_of(order_id) for order_id in args[0]])


@task_postrun.connect
def end(**_: Any) -> None:
    clear_contextvars()
