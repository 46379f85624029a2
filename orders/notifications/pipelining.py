"""Django's SMTP backend, asking a mail server several things in one go where the server allows it.

An e-mail takes four questions and answers: the sender, the recipient, whether it may be sent, and the e-mail itself. A
server that announces PIPELINING (RFC 2920, as nearly all do) takes the first three in one packet, which halves the
round trips of every e-mail. It raises what smtplib raises.
"""

import re
import smtplib
from collections.abc import Sequence
from contextlib import suppress
from typing import Any

from django.core.mail.backends.smtp import EmailBackend

_LEADING_PERIOD = re.compile(rb"^\.", re.MULTILINE)
_ACCEPTED = (250, 251)
_GO_AHEAD = 354


class _Pipelining(smtplib.SMTP):
    def sendmail(
        self,
        from_addr: str,
        to_addrs: str | Sequence[str],
        msg: Any,
        mail_options: Sequence[str] = (),
        rcpt_options: Sequence[str] = (),
    ) -> Any:
        """As smtplib's; in fewer round trips for an e-mail in bytes to one address."""
        self.ehlo_or_helo_if_needed()
        recipients = [to_addrs] if isinstance(to_addrs, str) else to_addrs
        plain = len(recipients) == 1 and isinstance(msg, bytes) and not mail_options and not rcpt_options
        if not plain or not self.has_extn("pipelining"):
            return super().sendmail(from_addr, to_addrs, msg, mail_options, rcpt_options)
        to = recipients[0]
        size = f" size={len(msg)}" if self.has_extn("size") else ""
        questions = [
            f"mail FROM:{smtplib.quoteaddr(from_addr)}{size}",
            f"rcpt TO:{smtplib.quoteaddr(to)}",
            "data",
        ]
        if any(character in question for question in questions for character in "\r\n"):
            raise ValueError(f"a line break in an address: {from_addr!r} or {to!r}")
        self.send("".join(f"{question}\r\n" for question in questions))
        sender, recipient, go_ahead = self._reply(), self._reply(), self._reply()
        if sender[0] == 250 and recipient[0] in _ACCEPTED and go_ahead[0] == _GO_AHEAD:
            end = b".\r\n" if msg.endswith(b"\r\n") else b"\r\n.\r\n"
            self.send(_LEADING_PERIOD.sub(b"..", msg) + end)
            sent = self._reply()
            if sent[0] != 250:
                self._start_over()
                raise smtplib.SMTPDataError(*sent)
            return {}
        if go_ahead[0] == _GO_AHEAD:
            # It waits for an e-mail although it refused the sender or the recipient (RFC 2920, 3.1).
            self.send(b".\r\n")
            self._reply()
        self._start_over()
        if sender[0] != 250:
            raise smtplib.SMTPSenderRefused(*sender, from_addr)
        if recipient[0] not in _ACCEPTED:
            raise smtplib.SMTPRecipientsRefused({to: recipient})
        raise smtplib.SMTPDataError(*go_ahead)

    def _reply(self) -> tuple[int, bytes]:
        code, text = self.getreply()
        if code == 421:  # it hangs up, and answers nothing else
            self.close()
            raise smtplib.SMTPServerDisconnected(f"{code} {text.decode(errors='replace')}")
        return code, text

    def _start_over(self) -> None:
        with suppress(smtplib.SMTPServerDisconnected):  # the next e-mail finds that out
            self.rset()


class _PipeliningOverTls(_Pipelining, smtplib.SMTP_SSL):
    pass


class PipeliningBackend(EmailBackend):
    """Django's, with a connection that asks several things at once."""

    @property
    def connection_class(self) -> type[smtplib.SMTP]:
        return _PipeliningOverTls if self.use_ssl else _Pipelining
