"""Counts the members of a group, so that the step after it is sent; and does nothing more.

Celery's own backend expects the process that starts a group to wait for its results. It keeps each in memory and
subscribes to each in Valkey, for as long as the process lives, so the relay would grow with every batch. Here nobody
waits: whether a group has done its work is read from the database.

Relies on Celery 5.7: a backend's on_task_call, add_pending_result and remove_pending_result are all that waits.
Noticed by: tests/integration/workers/test_relay.py.
"""

from typing import Any

from celery.backends.redis import RedisBackend


class JoinCounter(RedisBackend):
    def on_task_call(self, *_: Any, **__: Any) -> None:
        """Subscribe to nothing."""

    def add_pending_result(self, result: Any, *_: Any, **__: Any) -> Any:
        return result

    def remove_pending_result(self, result: Any) -> Any:
        return result
