"""`python -m sandbox.payments`: the payment provider's process."""

import argparse
import os
from urllib.parse import urlsplit

from aiohttp import web

from sandbox.faults import Faults
from sandbox.ledger import Ledger
from sandbox.payments import disputes, intents, webhooks
from sandbox.payments.api import Payments
from sandbox.payments.webhooks import Webhooks
from sandbox.service import arguments, run


def parse() -> argparse.Namespace:
    """The command line; the secret may come from the environment, where other users cannot read it."""
    parser = arguments("payments", 8006, has_pages=True)
    parser.add_argument("--webhook-url", default="", help="where the merchant hears of events")
    parser.add_argument(
        "--webhook-secret",
        default=os.environ.get("PAYMENTS_WEBHOOK_SECRET", ""),
        help="key that signs them (default: PAYMENTS_WEBHOOK_SECRET of the environment)",
    )
    parser.add_argument(
        "--webhook-all",
        action="store_true",
        default=bool(os.environ.get("SANDBOX_WEBHOOK_ALL")),
        help="tell of every event, not only of those that happened outside an API call"
        " (default: whether SANDBOX_WEBHOOK_ALL is set)",
    )
    options = parser.parse_args()
    if options.webhook_url and urlsplit(options.webhook_url).scheme not in ("http", "https"):
        parser.error(f"--webhook-url {options.webhook_url} is not an http or https address.")
    if options.webhook_url and not options.webhook_secret:
        parser.error("--webhook-url needs --webhook-secret: the merchant refuses what is not signed.")
    return options


def build(ledger: Ledger, faults: Faults, options: argparse.Namespace) -> web.Application:
    hooks = Webhooks(ledger, options.webhook_url, options.webhook_secret, faults)
    return Payments(ledger, faults, hooks, options.public_url, options.webhook_all).app


if __name__ == "__main__":
    run("payments", parse(), intents.SCHEMA + disputes.SCHEMA + webhooks.SCHEMA, build)
