"""The providers as programs: payments, SMS, carrier and mailbox, each with its own ledger file."""

import sys

from stack.environment import WEBHOOK_PATH, Stack
from stack.health import http_ok
from stack.program import Group, Program


def providers(stack: Stack) -> list[Program]:
    ports = stack.ports
    more: dict[str, tuple[str, ...]] = {
        "payments": (
            *("--webhook-url", f"{stack.url('shop')}{WEBHOOK_PATH}"),  # signed with PAYMENTS_WEBHOOK_SECRET
        ),
        "sms": (),
        "carrier": (),
        "mailbox": ("--smtp-port", str(ports.smtp), "--sms-url", stack.url("sms")),
    }
    return [
        Program(
            name=name,
            command=(
                *("nice", "-n", "5"),  # outside of this box they would have machines of their own
                *(sys.executable, "-P", "-m", f"sandbox.{name}"),
                *(
                    "--port",
                    str(getattr(ports, name)),
                    "--ledger",
                    str(stack.layout.ledgers / f"{name}.sqlite3"),
                ),
                *arguments,
            ),
            check=http_ok(f"{stack.url(name)}/health"),
            group=Group.SERVERS,
        )
        for name, arguments in more.items()
    ]
