"""Poison for a worker: a payment provider whose answer about one card kills the process that reads it.

A gateway like any other, named in PAYMENT_GATEWAY, so that the product needs no switch for it. What a real order does
it with (a crash in a native library, memory without end) ends the same way: the process is gone without a word.
"""

import os
import signal

from orders.payments.gateway import Charge, Intent
from orders.payments.sandbox import SandboxGateway

CARD = "pm_poison"


class PoisonousGateway(SandboxGateway):
    async def authorise(self, charge: Charge, *, capture: bool) -> Intent:
        if charge.token == CARD:
            os.kill(os.getpid(), signal.SIGKILL)
        return await super().authorise(charge, capture=capture)
