"""Where the members of a group are counted, so that what follows the group is rung: and nothing more.

Celery's own backend takes it that whoever starts a group waits for its results: it keeps each in memory and subscribes
to each in Valkey, for as long as the process lives. Nobody waits here, since whether a group has done its work is read
from the database. Without this the relay would grow with every batch.
"""

from typing import Any

from celery.backends.redis import RedisBackend


class JoinCounter(RedisBackend):
    """Celery's Redis backend, minus the waiting."""

    def add_pending_result(self, result: Any, *_: Any, **__: Any) -> Any:
        return result

    def remove_pending_result(self, result: Any) -> Any:
        return result
