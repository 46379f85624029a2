"""The idempotency keys of every call that moves money, each made from the payment's own key.

The same call under the same key is done once, so a repeated step must come to the same key as the first.
"""

from uuid import UUID


def charge(payment: UUID) -> str:
    return f"{payment}-charge"


def capture(payment: UUID) -> str:
    return f"{payment}-capture"


def void(payment: UUID) -> str:
    return f"{payment}-void"


def refund(payment: UUID) -> str:
    """Of all that is left, for an order that ended without goods."""
    return f"{payment}-refund"


def promised_refund(payment: UUID, refund: int, refusals: int = 0) -> str:
    """Of one promised refund. A provider repeats its refusal under the same key, so each refusal leads to a new one."""
    return f"{payment}-refund-{refund}" + (f"-{refusals}" if refusals else "")
