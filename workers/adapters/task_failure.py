"""Tasks that fail outside of a step: called with arguments they do not take, or without orders of their own.

A step deals with its failures itself (workers.steps), workers.adapters.worker_lost notices a process that dies, and
work on videos has a lease (workers.media). What is left (a bug in the nightly audit, a message that names a step and
gives it nonsense) would only be a line in a worker's log, so it becomes a dead letter too. While our own database or
broker is down nothing is written, and nothing counts.
"""

from typing import Any

from celery import Task
from celery.exceptions import TimeLimitExceeded, WorkerLostError
from celery.signals import task_failure
from django.db import InterfaceError, OperationalError

from workers import deadletters
from workers.media.tasks import MediaTask
from workers.steps import StepTask

_HOUSE_DOWN = (OperationalError, InterfaceError)
_LOST = (WorkerLostError, TimeLimitExceeded)


@task_failure.connect
def bury(sender: Task[Any, Any], exception: BaseException, args: Any = (), **_: Any) -> None:
    if isinstance(exception, _HOUSE_DOWN) or (
        isinstance(sender, StepTask | MediaTask) and isinstance(exception, _LOST)
    ):
        return
    queue = sender.name.partition(".")[0]
    deadletters.bury_message(sender.name, queue, repr(args), exception)
