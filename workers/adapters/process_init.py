"""What every process of a node does when it begins, before each task, and when it ends.

Relies on documented signals of Celery 5.7 alone. Noticed by: tests/integration/workers/test_kept_connections.py.
"""

from typing import Any

from celery.signals import task_prerun, worker_process_init, worker_process_shutdown, worker_ready
from django.db import close_old_connections

from orders.database.planner_settings import plan_by_key
from shop import collector
from workers import aside


@worker_process_init.connect
def begin_process(**_: Any) -> None:
    plan_by_key()
    collector.relieve()
    aside.begin()


@worker_ready.connect
def begin_node(**_: Any) -> None:
    collector.relieve()


@task_prerun.connect
def drop_dead_connection(**_: Any) -> None:
    """A kept connection may have died with its server since the last task. The check sends nothing."""
    close_old_connections()


@worker_process_shutdown.connect
def end_process(**_: Any) -> None:
    """A process that is told to end while it does nothing else ends after the calls that it has begun."""
    aside.finish()
