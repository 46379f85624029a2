"""``python -m sandbox.payments``: the payment provider's process."""

from __future__ import annotations

import argparse
import os
from urllib.parse import urlsplit

from sandbox.faults import Faults
from sandbox.ledger import Ledger
from sandbox.payments import intents, webhooks
from sandbox.payments.api import Payments
from sandbox.payments.webhooks import Webhooks
from sandbox.service import arguments, main, run_until_stopped


def parse() -> argparse.Namespace:
    """The command line; the secret may come from the environment, where other users cannot read it."""
    parser = arguments("payments", 8006)
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
    parser.add_argument(
        "--public-url",
        default=os.environ.get("SANDBOX_PUBLIC_URL", ""),
        help="how a browser reaches this provider (default: http://127.0.0.1:PORT)",
    )
    options = parser.parse_args()
    if options.webhook_url and urlsplit(options.webhook_url).scheme not in ("http", "https"):
        parser.error(f"--webhook-url {options.webhook_url} is not an http or https address.")
    if options.webhook_url and not options.webhook_secret:
        parser.error("--webhook-url needs --webhook-secret: the merchant refuses what is not signed.")
    options.public_url = options.public_url.rstrip("/") or f"http://127.0.0.1:{options.port}"
    return options


async def serve(options: argparse.Namespace) -> None:
    """Run the provider until it is told to stop."""
    ledger = Ledger(options.ledger, intents.SCHEMA + webhooks.SCHEMA)
    try:
        faults = Faults.from_environment()
        payments = Payments(
            ledger,
            faults,
            Webhooks(ledger, options.webhook_url, options.webhook_secret, faults),
            options.public_url,
            options.webhook_all,
        )
        await run_until_stopped(payments.app, options.host, options.port)
    finally:
        ledger.close()


if __name__ == "__main__":
    options = parse()
    main("payments", lambda: serve(options))
