"""The idempotency keys of every call that moves money, each made from the payment's own key.

The same call under the same key is done once, so a repeated step must come to the same key as the first.
"""

from typing import Literal
from uuid import UUID


def key(payment: UUID, purpose: Literal["charge", "capture", "void"]) -> str:
    return f"{payment}-{purpose}"


def rest(payment: UUID, gone_minor: int) -> str:
    """The refund of all that is left, for an order that ended without goods. So much was given back before it by
    others, which changes its amount: a key stands for one amount."""
    return f"{payment}-refund" + (f"-after-{gone_minor}" if gone_minor else "")


def is_rest(payment: UUID, key: str) -> bool:
    """Whether a refund with this key was one of all that was left."""
    return key == rest(payment, 0) or key.startswith(f"{rest(payment, 0)}-after-")


def promised_refund(payment: UUID, refund: int, refusals: int = 0) -> str:
    """Of one promised refund. A provider repeats its refusal under the same key, so each refusal leads to a new one."""
    return f"{payment}-refund-{refund}" + (f"-{refusals}" if refusals else "")


def is_refund(payment: UUID, key: str) -> bool:
    """Whether a refund with this key was asked for by us."""
    return key.startswith(f"{payment}-refund")
