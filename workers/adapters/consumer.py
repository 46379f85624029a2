"""Messages that no task can be made of: not even an envelope, a body that does not decode, a task nobody knows.

Each becomes a dead letter first and is acknowledged then. While the database is away the message stays with the
broker, unacknowledged, and is buried when the database is back; should the worker die meanwhile, the broker hands it
to the next. Celery by itself would write a line into the log and forget it. What is not even an envelope comes
here in one (workers.adapters.transport).

The orders that such a message may have spoken of lose nothing: their leases run out and the relay rings again.

And a pool that grows with its work goes on growing after it lost the broker. Celery then asks for no more messages than
the pool has processes at that moment, and as a pool only grows when it has more messages than processes, one that was
idle would stay at its least until it is restarted.
"""

import logging
from collections.abc import Callable
from typing import Any

from celery.worker import consumer
from django.db import DatabaseError, InterfaceError, connection

from workers.deadletters import bury_message

log = logging.getLogger(__name__)

AGAIN = 5.0  # seconds until the next try while the database is away


class Consumer(consumer.Consumer):
    """Celery's consumer of a worker; what it is about to give up is buried first."""

    # The stubs leave these out.
    controller: Any
    prefetch_multiplier: int
    connection_errors: tuple[type[Exception], ...]

    @property
    def max_prefetch_count(self) -> int:
        """Messages that the node may have in hand: as many as the pool may come to have processes."""
        most: int = self.controller.max_concurrency or self.pool.num_processes
        return most * self.prefetch_multiplier

    def create_task_handler(self, *args: Any, **kwargs: Any) -> Callable[[Any], None]:
        """Celery's, which ends the worker over a message whose body is JSON but not the arguments of a task."""
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
        error = LookupError("no task of this name is registered here: is this worker older than who rang?")
        self._bury(message, error, super().on_unknown_task, body, message, exc)

    def on_invalid_task(self, body: Any, message: Any, exc: Exception) -> None:
        self._bury(message, exc, super().on_invalid_task, body, message, exc)

    def _bury(self, message: Any, error: Exception, then: Callable[..., None], *args: Any) -> None:
        """Write the dead letter, `then` let Celery acknowledge the message as it does."""
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
            connection.close()  # the main process works with messages; its children inherit nothing
        then(*args)


def _text(body: Any) -> str:
    return body.decode(errors="replace") if isinstance(body, bytes) else str(body)
