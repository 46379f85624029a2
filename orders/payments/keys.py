"""The idempotency keys of every call that moves money, each made from the payment's own key.

The same call under the same key is done once, so a repeated step must come to the same key as the first.
"""

from typing import Literal
from uuid import UUID


def key(payment: UUID, purpose: Literal["charge", "capture", "void", "refund"]) -> str:
    """The refund is of all that is left, for an order that ended without goods."""
    return f"{payment}-{purpose}"


def promised_refund(payment: UUID, refund: int, refusals: int = 0) -> str:
    """Of one promised refund. A provider repeats its refusal under the same key, so each refusal leads to a new one."""
    return f"{payment}-refund-{refund}" + (f"-{refusals}" if refusals else "")
