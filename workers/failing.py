"""Tasks that fail outside of a step: called with arguments they do not take, or without orders of their own.

A step deals with its failures itself (workers.steps), and a process that dies is missed by workers.lost; what is done
to videos has a lease of its own (workers.media). What is left
(a bug in the nightly audit, a message that names a step and gives it nonsense) would be a line in a worker's log, so
it becomes a dead letter too. While our own house is down nothing is written, and nothing counts.
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


@task_failure.connect  # type: ignore[untyped-decorator] # Celery ships no types
def bury(sender: Task, exception: BaseException, args: Any = (), **_: Any) -> None:
    if isinstance(exception, _HOUSE_DOWN) or (
        isinstance(sender, StepTask | MediaTask) and isinstance(exception, _LOST)
    ):
        return
    queue = sender.name.partition(".")[0]
    deadletters.bury_message(sender.name, queue, repr(args), exception)
