"""Checks `Stripe-Signature`, the scheme that payment webhooks are signed with (docs.stripe.com/webhooks/signature).

The header reads `t=UNIX,v1=HEX[,v1=HEX…]`; HEX is the HMAC-SHA256, under the webhook's secret, of the time, a
dot, and the exact bytes of the body. There are two while a secret is being changed. The time keeps an
overheard request from being played back later.
"""

import hmac
from hashlib import sha256

MAX_AGE = 300  # seconds, either way: clocks differ


class BadSignature(Exception):
    """The message says why, without a hint at what the right signature would be."""


def verify(header: str, body: bytes, secret: str, now: float) -> None:
    """Raise BadSignature unless `header` signs `body` with `secret`, at most MAX_AGE from `now` (Unix time)."""
    parts = [part.strip().partition("=") for part in header.split(",")]
    times = [value for name, _, value in parts if name == "t"]
    signatures = [value for name, _, value in parts if name == "v1"]
    if len(times) != 1 or not (times[0].isascii() and times[0].isdigit()) or not signatures:
        raise BadSignature("The header Stripe-Signature is missing or is not t=…,v1=….")
    expected = hmac.new(secret.encode(), times[0].encode() + b"." + body, sha256).hexdigest()
    if not any(hmac.compare_digest(expected.encode(), given.encode()) for given in signatures):
        raise BadSignature("The signature does not fit the body.")
    # Twelve digits reach beyond the year 30000; a longer number is no time, and slow to read.
    if len(times[0]) > 12 or abs(now - int(times[0])) > MAX_AGE:
        raise BadSignature(
            f"The signature is older than {MAX_AGE} seconds, or the clocks differ by more than that."
        )
