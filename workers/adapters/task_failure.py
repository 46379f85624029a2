"""Tasks that fail outside of a step: called with wrong arguments, or without orders of their own.

A step deals with its own failures (workers.steps), workers.adapters.worker_lost notices a process that dies, and work
on videos has a lease (workers.media). What is left (a bug in the nightly audit, a step with nonsense for arguments)
would be a mere line in a worker's log, so it becomes a dead letter too. While our own database or broker is down
nothing is written, and nothing counts.

Relies on a documented signal of Celery 5.7. Noticed by: tests/whole/test_unreadable_messages.py.
"""

from typing import Any

from celery import Task
from celery.exceptions import TimeLimitExceeded, WorkerLostError
from celery.signals import task_failure

from workers import deadletters
from workers.media.tasks import MediaTask
from workers.retry import INFRASTRUCTURE_DOWN
from workers.steps import StepTask

_LOST = (WorkerLostError, TimeLimitExceeded)


@task_failure.connect
def bury(sender: Task[Any, Any], exception: BaseException, args: Any = (), **_: Any) -> None:
    if isinstance(exception, INFRASTRUCTURE_DOWN) or (
        isinstance(sender, StepTask | MediaTask) and isinstance(exception, _LOST)
    ):
        return
    queue = sender.name.partition(".")[0]
    deadletters.bury_message(sender.name, queue, repr(args), exception)
