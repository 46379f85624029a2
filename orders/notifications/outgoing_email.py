"""E-mails to customers: Django's, serialised for half of what the standard library takes.

Folding headers costs most, and nearly all headers are short and plain. A boundary of our own need not be searched for
in the body, and addresses that were checked need no parsing.
"""

from email._policybase import Compat32
from email.header import Header
from email.utils import formataddr, parseaddr
from functools import cache
from typing import Any

from django.core.mail import EmailMultiAlternatives

from orders.notifications.addressing import smtp_address

_LINE = 76  # characters, name included; RFC 5322 asks for 78 at most
_WORD = 70  # of an encoded word, of which the standard library makes up to three characters more; RFC 2047 allows 75


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

    The addresses were checked when the order was placed, so Django gets them parsed. The recipient has no name here:
    whoever orders can write what they like into it, and somebody else's address beside it.
    """

    from_email: Any  # Django's own type is a str, and its SMTP backend takes a parsed address too

    def __init__(self, *, boundary: str, sender: str, to: str, headers: dict[str, str], **rest: Any) -> None:
        address = smtp_address(to)
        written, from_address = _sender(sender)
        people = {"From": written, "To": address}
        super().__init__(from_email=sender, to=[address], headers={**people, **headers}, **rest)
        self.from_email = ("", from_address)
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
def _sender(sender: str) -> tuple[str, str]:
    """The sender as its header has it, and its address as SMTP takes it.

    A long name of other letters takes several encoded words; formataddr makes one of any length.
    """
    name, address = parseaddr(sender)
    ascii_address = smtp_address(address)
    if name.isascii():
        return formataddr((name, ascii_address)), ascii_address
    return f"{Header(name, 'utf-8', _WORD).encode(linesep='')} <{ascii_address}>", ascii_address


def sender_domain(sender: str) -> str:
    """The domain of the sender's address in ASCII, for the Message-ID."""
    return _sender(sender)[1].rpartition("@")[2]
