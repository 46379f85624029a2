"""E-mails to customers: Django's, serialised for half of what the standard library takes.

Folding headers costs most, and nearly all headers are short and plain. A boundary of our own need not be searched for
in the body, and addresses that were checked need no parsing.
"""

from email._policybase import Compat32
from email.utils import formataddr, parseaddr
from functools import cache
from typing import Any

from django.core.mail import EmailMultiAlternatives

_LINE = 76  # characters, name included; RFC 5322 asks for 78 at most


class ShortHeaders(Compat32):
    """Writes a short plain header without folding; leaves every other to the standard library."""

    def fold(self, name: str, value: str) -> str:
        if type(value) is str and len(name) + len(value) < _LINE and value.isascii() and value.isprintable():
            return f"{name}: {value}{self.linesep}"
        return super().fold(name, value)

    def fold_binary(self, name: str, value: str) -> bytes:
        return self.fold(name, value).encode("ascii", "surrogateescape")


class OutgoingEmail(EmailMultiAlternatives):
    """An e-mail in text and HTML to one person. `boundary` must be drawn for this e-mail, so that no body contains it.

    The addresses were checked when the order was placed, so Django gets them parsed.
    """

    from_email: Any  # Django's own type is a str, and its SMTP backend takes a parsed address too

    def __init__(
        self, *, boundary: str, sender: str, to: tuple[str, str], headers: dict[str, str], **rest: Any
    ) -> None:
        name, address = to
        people = {"From": sender, "To": formataddr((name, address))}
        super().__init__(from_email=sender, to=[address], headers={**people, **headers}, **rest)
        self.from_email = ("", _address(sender))
        self._boundary = f"=={boundary}=="

    def recipients(self) -> list[Any]:
        return [("", address) for address in self.to]

    def message(self, **options: Any) -> Any:
        message = super().message(**options)
        message.policy = ShortHeaders()
        if message.is_multipart():
            message.set_boundary(self._boundary)
        return message


@cache
def _address(sender: str) -> str:
    return parseaddr(sender)[1]
