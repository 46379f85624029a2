"""What every process of a node does when it begins, and before each task, whatever tasks it serves."""

from typing import Any

from celery.signals import task_prerun, worker_process_init, worker_ready
from django.db import close_old_connections

from shop import collector
from workers.planning import plan_by_key


@worker_process_init.connect  # type: ignore[untyped-decorator] # Celery ships no types
def begin_process(**_: Any) -> None:
    plan_by_key()
    collector.relieve()


@worker_ready.connect  # type: ignore[untyped-decorator]
def begin_node(**_: Any) -> None:
    collector.relieve()


@task_prerun.connect  # type: ignore[untyped-decorator]
def drop_dead_connection(**_: Any) -> None:
    """A kept connection may have died with its server since the last task: look, which asks nobody."""
    close_old_connections()
