"""What becomes of a letter at mail servers of different manners, each a real one on a socket of its own."""

import smtplib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import pytest
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, Envelope, Session
from django.core.mail import EmailMessage

from orders.notifications.pipelining import PipeliningBackend
from tests.sandbox.peers import free_port

both = pytest.mark.parametrize("pipelining", [True, False])


@dataclass
class Server:
    """Answers as told; keeps what was delivered, and in how many pieces it was asked for it."""

    pipelining: bool = True
    to_sender: str = "250 OK"
    to_recipient: str = "250 OK"
    to_letter: str = "250 OK"
    letters: list[bytes] = field(default_factory=list)

    async def handle_EHLO(
        self, _server: SMTP, session: Session, _envelope: Envelope, hostname: str, responses: list[str]
    ) -> list[str]:
        session.host_name = hostname
        return [responses[0], *(["250-PIPELINING"] if self.pipelining else []), *responses[1:]]

    async def handle_MAIL(
        self, _server: SMTP, _session: Session, envelope: Envelope, address: str, _options: list[str]
    ) -> str:
        if self.to_sender.startswith("250"):
            envelope.mail_from = address
        return self.to_sender

    async def handle_RCPT(
        self, _server: SMTP, _session: Session, envelope: Envelope, address: str, _options: list[str]
    ) -> str:
        if address.startswith("refused"):
            return "550 nobody of this name lives here"
        if self.to_recipient.startswith("25"):
            envelope.rcpt_tos.append(address)
        return self.to_recipient

    async def handle_DATA(self, _server: SMTP, _session: Session, envelope: Envelope) -> str:
        if self.to_letter.startswith("250"):
            assert isinstance(envelope.content, bytes)
            self.letters.append(envelope.content)
        return self.to_letter


@contextmanager
def connected(server: Server) -> Iterator[PipeliningBackend]:
    port = free_port()
    controller = Controller(server, hostname="127.0.0.1", port=port)
    controller.start()
    try:
        with PipeliningBackend(host="127.0.0.1", port=port) as connection:
            yield connection
    finally:
        controller.stop()


def letter(to: str = "buyer@example.com", body: str = "Thank you.\n") -> EmailMessage:
    return EmailMessage("Your order", body, "shop@example.com", [to])


@both
@pytest.mark.parametrize("body", ["Thank you.\n", ".\n..\n.x\nno line end", "", "ä" * 2000])
def test_a_letter_arrives_as_it_was_written(pipelining: bool, body: str) -> None:
    server = Server(pipelining)
    with connected(server) as connection:
        written = [letter(body=body), letter("other@example.com", body)]
        assert connection.send_messages(written) == 2
    sent = [bytes(one) for one in server.letters]
    assert [one.partition(b"\r\n\r\n")[2].rstrip() for one in sent] == [
        one.message().as_bytes().partition(b"\n\n")[2].rstrip().replace(b"\n", b"\r\n") for one in written
    ]


@both
def test_a_refused_recipient_costs_nobody_else_a_letter(pipelining: bool) -> None:
    server = Server(pipelining)
    with connected(server) as connection:
        with pytest.raises(smtplib.SMTPRecipientsRefused) as refused:
            connection.send_messages([letter("refused@example.com")])
        assert connection.send_messages([letter()]) == 1
    assert [code for code, _ in refused.value.recipients.values()] == [550]
    assert len(server.letters) == 1


@both
def test_a_refused_sender_is_named(pipelining: bool) -> None:
    server = Server(pipelining, to_sender="550 who are you")
    with connected(server) as connection, pytest.raises(smtplib.SMTPSenderRefused) as refused:
        connection.send_messages([letter()])
    assert refused.value.smtp_code == 550


@both
def test_a_refused_letter_says_why_and_the_next_one_is_asked_anew(pipelining: bool) -> None:
    server = Server(pipelining, to_letter="451 later")
    with connected(server) as connection:
        for _ in range(2):
            with pytest.raises(smtplib.SMTPDataError) as refused:
                connection.send_messages([letter()])
            assert refused.value.smtp_code == 451
        server.to_letter = "250 OK"
        assert connection.send_messages([letter()]) == 1
    assert len(server.letters) == 1


@both
def test_a_server_that_closes_down_is_found_out(pipelining: bool) -> None:
    with connected(Server(pipelining, to_recipient="421 closing down")) as connection:
        with pytest.raises(smtplib.SMTPException):
            connection.send_messages([letter()])
        assert connection.connection is not None
        assert connection.connection.sock is None


def test_an_address_cannot_smuggle_a_command() -> None:
    with connected(Server()) as connection:
        connection.open()
        assert connection.connection is not None
        with pytest.raises(ValueError, match="line break"):
            connection.connection.sendmail("shop@example.com", [",\r\nrset"], b"Thank you.\r\n")
