"""The message of a step in a worker's main process, with the crash points around its acknowledgement.

The child does the work and the main process acknowledges the message. If the node dies between the two, the message
comes back for orders that have gone on, and the step finds nothing left to do.

Relies on Celery 5.7: a task's `Request` is made in the main process, and its `acknowledge` acknowledges the message.
Noticed by: tests/chaos/test_acknowledging.py.
"""

from typing import Any

from celery.worker.request import Request

from orders.crashpoints import Point, reached


class StepRequest(Request):
    def acknowledge(self) -> None:
        orders: Any = self.args[0] if self.args else ()
        reached(Point.TASK_BEFORE_ACK, orders)
        super().acknowledge()
        reached(Point.TASK_AFTER_ACK, orders)
