"""``python -m sandbox.mailbox``: the mail server and the page that shows what it received."""

from __future__ import annotations

import argparse
import logging

from sandbox.faults import Faults
from sandbox.ledger import Ledger
from sandbox.mailbox.smtp import Reception
from sandbox.mailbox.store import SCHEMA, Store
from sandbox.mailbox.web import Mailbox
from sandbox.service import arguments, main, run_until_stopped


def parse() -> argparse.Namespace:
    """The command line."""
    parser = arguments("mailbox", 8004)
    parser.add_argument("--smtp-port", type=int, default=8005, help="SMTP port (default: %(default)s)")
    parser.add_argument("--sms-url", default="", help="the SMS gateway whose messages are shown as well")
    return parser.parse_args()


async def serve(options: argparse.Namespace) -> None:
    """Run the mailbox until it is told to stop."""
    # aiosmtpd tells of every line it reads; above WARNING it need not even put the words together.
    logging.getLogger("mail.log").setLevel(logging.ERROR)
    ledger = Ledger(options.ledger, SCHEMA)
    try:
        faults, store = Faults.from_environment(), Store(ledger)
        reception = Reception(store, faults, options.host, options.smtp_port)
        mailbox = Mailbox(ledger, faults, store, reception, options.sms_url)
        await run_until_stopped(mailbox.app, options.host, options.port)
    finally:
        ledger.close()


if __name__ == "__main__":
    options = parse()
    main("mailbox", lambda: serve(options))
