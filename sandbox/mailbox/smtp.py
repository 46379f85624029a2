"""The SMTP server: aiosmtpd, made faster in the two places where a load test spends its time.

An address is read by one regular expression instead of the full RFC 5322 grammar, with aiosmtpd's own way for the rest.
A mail is read in one piece up to its final dot, and not line by line.
"""

import asyncio
import re
from typing import cast
from weakref import WeakSet

from aiosmtpd.smtp import SMTP, Envelope, Session

from sandbox.faults import Faults, strikes
from sandbox.mailbox.store import Store
from sandbox.service import CannotListen

ADDRESS = re.compile(r"<([^\s<>@\"\\(),:;\[\]]+@[A-Za-z0-9._-]+)>\s*(.*)")
END = b"\r\n.\r\n"
# A mail may be this large, in bytes.
SIZE_LIMIT = 10 * 1024 * 1024
# Nobody lives here: mail to this name is refused for good, whatever the domain.
REFUSED_NAME = "refused"


class LeanSMTP(SMTP):
    """aiosmtpd's protocol with faster MAIL, RCPT and DATA."""

    # Also how much the stream reader buffers; a mail up to this size is read in one piece.
    line_length_limit = 256 * 1024

    def _getaddr(self, arg: str) -> tuple[str | None, str | None]:
        match = ADDRESS.fullmatch(arg)
        if match is None:
            address, rest = super()._getaddr(arg)
            return address, rest
        return match[1], match[2]

    async def smtp_DATA(self, arg: str) -> None:
        """Take the mail up to the line that is a single dot (RFC 5321, 4.1.1.4)."""
        if await self.check_helo_needed() or await self.check_auth_needed("DATA"):
            return
        envelope = self.envelope
        if envelope is None or not envelope.rcpt_tos:
            await self.push("503 Error: need RCPT command")
            return
        if arg:
            await self.push("501 Syntax: DATA")
            return
        await self.push("354 End data with <CR><LF>.<CR><LF>")
        try:
            content = await self._read_mail()
        except asyncio.CancelledError:  # the client hung up
            self._writer.close()
            raise
        if content is None:
            self.envelope = self._create_envelope()
            await self.push(f"552 Error: the mail is larger than {SIZE_LIMIT} bytes")
            return
        if content.startswith(b"."):  # dot-stuffing is undone (RFC 5321, 4.5.2)
            content = content[1:]
        content = content.replace(b"\r\n.", b"\r\n")
        envelope.content = envelope.original_content = content
        status = await self._call_handler_hook("DATA")
        self.envelope = self._create_envelope()
        await self.push(status)

    async def _read_mail(self) -> bytes | None:
        """The mail without its final dot; None if it is too large, and is then read and dropped."""
        reader = self._reader
        start = await reader.readexactly(3)
        if start == b".\r\n":
            return b""
        while b"\r" in start[-4:]:  # the end may have begun within what is already taken
            start += await reader.readexactly(1)
            if start.endswith(END):
                return start[:-3]
        chunks, size = [start], len(start)
        while True:
            try:
                chunk = await reader.readuntil(END)
                break
            except asyncio.LimitOverrunError as overrun:
                part = await reader.read(overrun.consumed)
            size += len(part)
            if size <= SIZE_LIMIT:
                chunks.append(part)
        if size + len(chunk) > SIZE_LIMIT:
            return None
        chunks.append(chunk[:-3])
        return b"".join(chunks)


class Reception:
    """What is done with each mail (aiosmtpd's handler), and the port, which is open or closed."""

    def __init__(self, store: Store, faults: Faults, host: str, port: int) -> None:
        self._store = store
        self._faults = faults
        self._host, self._port = host, port
        self._server: asyncio.Server | None = None
        self._clients: WeakSet[LeanSMTP] = WeakSet()

    async def follow_faults(self) -> None:
        """Open the port, or close it and hang up on all clients while the fault `down` is set."""
        if self._faults.down:
            await self.close()
        elif self._server is None:
            loop = asyncio.get_running_loop()
            try:
                self._server = await loop.create_server(self._welcome, self._host, self._port, backlog=1024)
            except OSError as error:
                raise CannotListen(self._host, self._port, error) from error

    async def close(self) -> None:
        """Close the port and hang up."""
        if self._server is None:
            return
        self._server.close()
        self._server = None
        for client in list(self._clients):
            _hang_up(client)

    def _welcome(self) -> LeanSMTP:
        client = LeanSMTP(
            self,
            hostname="mailbox.sandbox",
            ident="Stampede sandbox",
            data_size_limit=SIZE_LIMIT,
            loop=asyncio.get_running_loop(),
        )
        self._clients.add(client)
        return client

    async def handle_EHLO(
        self, _server: LeanSMTP, session: Session, _envelope: Envelope, hostname: str, responses: list[str]
    ) -> list[str]:
        """Let clients send MAIL, RCPT and DATA in one packet (RFC 2920); nothing here drops waiting input."""
        session.host_name = hostname
        return [responses[0], "250-PIPELINING", *responses[1:]]

    async def handle_RCPT(
        self, _server: LeanSMTP, _session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        """Accept every recipient but one."""
        if address.partition("@")[0].lower() == REFUSED_NAME:
            return f"550 5.1.1 <{address}>: nobody of this name lives here"
        envelope.rcpt_tos.append(address)
        envelope.rcpt_options.extend(options)
        return "250 OK"

    async def handle_DATA(self, server: LeanSMTP, _session: Session, envelope: Envelope) -> str:
        """Deliver a mail, and say so when it is on disk."""
        faults = self._faults
        if faults.active:
            if delay := faults.delay():
                await asyncio.sleep(delay)
            if strikes(faults.throttle_rate):
                return "452 4.3.1 Too much mail at once, try again later"
            if strikes(faults.error_rate):
                return "451 4.3.0 Something went wrong here, nothing was delivered, try again later"
        ident, new = await self._store.deliver(
            envelope.mail_from or "", envelope.rcpt_tos, envelope.original_content or b""
        )
        if faults.active and strikes(faults.lose_answer_rate):
            _hang_up(server)
        return f"250 2.0.0 {ident} {'delivered' if new else 'was delivered before'}"


def _hang_up(client: LeanSMTP) -> None:
    transport = cast("asyncio.Transport | None", client.transport)
    if transport is not None:
        transport.abort()
