"""`python -m sandbox.mailbox`: the mail server and the page that shows what it received."""

import argparse
import logging

from aiohttp import web

from sandbox.faults import Faults
from sandbox.ledger import Ledger
from sandbox.mailbox.smtp import Reception
from sandbox.mailbox.store import SCHEMA, Store
from sandbox.mailbox.web import Mailbox
from sandbox.service import arguments, run


def build(ledger: Ledger, faults: Faults, options: argparse.Namespace) -> web.Application:
    # aiosmtpd tells of every line it reads; above WARNING it need not even put the words together.
    logging.getLogger("mail.log").setLevel(logging.ERROR)
    store = Store(ledger)
    reception = Reception(store, faults, options.host, options.smtp_port)
    return Mailbox(ledger, faults, store, reception, options.sms_url).app


if __name__ == "__main__":
    parser = arguments("mailbox", 8004)
    parser.add_argument("--smtp-port", type=int, default=8005, help="SMTP port (default: %(default)s)")
    parser.add_argument("--sms-url", default="", help="the SMS gateway whose messages are shown as well")
    run("mailbox", parser.parse_args(), SCHEMA, build)
