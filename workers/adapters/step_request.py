"""The message of a step as a worker's main process holds it, with the crash points around its acknowledgement.

The child does the work and the main process acknowledges: what dies between the two leaves a message that comes back
for orders that have gone on, and a step that finds nothing left to do.
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
