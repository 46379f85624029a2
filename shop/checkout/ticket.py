"""The checkout's ticket: the hidden field that makes one order of a form, however often it is sent.

It is signed and holds the idempotency key of the checkout and a fingerprint of the summary that the shopper
saw. So nobody can choose a key of another's order, and nobody is charged for a cart or a price that changed
after the form was shown. The cart keeps the same key: two tabs with one cart share one checkout.
"""

from dataclasses import dataclass

from django.core import signing

from shop.cart.contents import Contents
from shop.checkout.quoting import Quote, fingerprint

_SALT = "shop.checkout.ticket"
_MAX_AGE = 7 * 24 * 3600  # seconds; a form that was left open over a weekend still works


class BadTicket(Exception):
    """The field is missing, not ours, or too old."""


@dataclass(frozen=True, slots=True)
class Ticket:
    key: str
    seen: str

    def packed(self) -> str:
        return signing.dumps([self.key, self.seen], salt=_SALT)

    @property
    def idempotency_key(self) -> str:
        """What the order is placed under; the prefix keeps the keys of browsers apart from those of API clients."""
        return f"checkout:{self.key}"


def read(value: str) -> Ticket:
    """The ticket that a form sent back; raises BadTicket."""
    try:
        key, seen = signing.loads(value, salt=_SALT, max_age=_MAX_AGE)
    except (signing.BadSignature, ValueError, TypeError):
        raise BadTicket from None
    return Ticket(key, seen)


def summary_of_contents(contents: Contents) -> str:
    """The fingerprint of what the summary on the page shows."""
    return fingerprint(
        [[line.product.sku, line.quantity, line.product.price_minor] for line in contents.lines]
    )


def summary_of_quote(quote: Quote) -> str:
    """The same of what the order would be written with."""
    return fingerprint([[line.sku, line.quantity, line.unit_price_minor] for line in quote.lines])
