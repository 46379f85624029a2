"""Messages that no task can be made of: no envelope, a body that does not decode, an unknown task.

Celery would write a line into the log and forget the message. Here it becomes a dead letter and is acknowledged after
that. While the database is away it stays with the broker, unacknowledged; if the worker dies meanwhile, the broker
hands it to the next. An item without an envelope gets one in workers.adapters.transport. Orders that such a message
may have named lose nothing: their leases run out, and the relay dispatches them again.

Besides, a pool that grows with its work goes on growing after it lost the broker. Celery would then ask for no more
messages than the pool has processes at that moment. A pool only grows when it has more messages than processes, so one
that was idle would stay at its minimum until it is restarted.

Relies on Celery 5.7: the worker's consumer calls create_task_handler and the four on_… methods, and reads
max_prefetch_count whenever it has connected to the broker.
Noticed by: tests/whole/test_unreadable_messages.py, tests/integration/workers/test_growing_pools.py.
"""

import logging
from collections.abc import Callable
from typing import Any

from celery.worker import consumer
from django.db import DatabaseError, InterfaceError, connection

from workers.deadletters import bury_message

log = logging.getLogger(__name__)

AGAIN = 5.0  # seconds until the next attempt while the database is away


class Consumer(consumer.Consumer):
    """Celery's consumer of a worker, which buries a message before it gives it up."""

    # The stubs leave these out.
    controller: Any
    prefetch_multiplier: int
    connection_errors: tuple[type[Exception], ...]

    @property
    def max_prefetch_count(self) -> int:
        """Messages that the node may have in hand: as many as the pool may have processes when it has grown."""
        most: int = self.controller.max_concurrency or self.pool.num_processes
        return most * self.prefetch_multiplier

    def create_task_handler(self, *args: Any, **kwargs: Any) -> Callable[[Any], None]:
        """Celery's own ends the worker over a message whose body is JSON but no arguments of a task."""
        handle = super().create_task_handler(*args, **kwargs)

        def received(message: Any) -> None:
            try:
                handle(message)
            except self.connection_errors:
                raise
            except Exception as error:
                log.exception("A message could not be made into a task.")
                self._bury(message, error, message.ack_log_error, log, self.connection_errors)

        return received

    def on_decode_error(self, message: Any, exc: Exception) -> None:
        self._bury(message, exc, super().on_decode_error, message, exc)

    def on_unknown_message(self, body: Any, message: Any) -> None:
        error = ValueError("a message of no form that Celery knows: it names no task")
        self._bury(message, error, super().on_unknown_message, body, message)

    def on_unknown_task(self, body: Any, message: Any, exc: Exception) -> None:
        error = LookupError("no task of this name is registered here: is this worker older than the sender?")
        self._bury(message, error, super().on_unknown_task, body, message, exc)

    def on_invalid_task(self, body: Any, message: Any, exc: Exception) -> None:
        self._bury(message, exc, super().on_invalid_task, body, message, exc)

    def _bury(self, message: Any, error: Exception, then: Callable[..., None], *args: Any) -> None:
        """Write the dead letter, `then` let Celery acknowledge the message."""
        headers = message.headers or {}
        task = str(headers.get("task", "")) or "unreadable"
        queue = (message.delivery_info or {}).get("routing_key") or "unknown"
        try:
            bury_message(task, queue, _text(message.body), error)
        except (DatabaseError, InterfaceError) as away:
            log.warning("A message for %s cannot be buried yet, it stays with the broker: %s", task, away)
            self.timer.call_after(AGAIN, self._bury, (message, error, then, *args))
            return
        finally:
            connection.close()  # children are forked from this process, and must not share a connection with it
        then(*args)


def _text(body: Any) -> str:
    return body.decode(errors="replace") if isinstance(body, bytes) else str(body)
