"""The mailbox: what arrives by SMTP, is kept once, and is shown without being trusted."""

from __future__ import annotations

import re
import smtplib
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from email.message import EmailMessage
from html import unescape
from urllib.parse import quote

import pytest

from tests.sandbox.conftest import StartPeer
from tests.sandbox.peers import ROOT, Peer, free_port

SENDER = "shop@example.com"


def mail(
    ident: str = "<1@shop>", order: str = "S-1", text: str = "Thank you", html: str = ""
) -> EmailMessage:
    message = EmailMessage()
    message["Subject"] = "Your order — 注文"
    message["From"] = f"Shop <{SENDER}>"
    message["To"] = "Ann <ann@example.com>"
    message["Message-ID"] = ident
    message["X-Order"] = order
    message.set_content(text)
    if html:
        message.add_alternative(html, subtype="html")
    return message


@contextmanager
def smtp(port: int) -> Iterator[smtplib.SMTP]:
    with smtplib.SMTP("127.0.0.1", port, timeout=20) as client:
        yield client


def test_a_mail_is_delivered_and_entered(mailbox: Peer, smtp_port: int) -> None:
    with smtp(smtp_port) as client:
        client.send_message(mail(html="<p>Thank <b>you</b></p>"))
    (entry,) = mailbox.entries()
    assert [entry[name] for name in ("kind", "key", "order", "to", "repeats")] == [
        "delivered", "<1@shop>", "S-1", "ann@example.com", 0,
    ]  # fmt: skip
    shown = mailbox.get(f"/api/messages/{entry['ref']}").json
    assert (shown["subject"], shown["text"].strip()) == ("Your order — 注文", "Thank you")
    assert "<b>you</b>" in shown["html"]


def test_a_repeat_is_accepted_counted_and_not_kept_twice(mailbox: Peer, smtp_port: int) -> None:
    for _ in range(3):
        with smtp(smtp_port) as client:
            assert client.send_message(mail()) == {}
    (entry,) = mailbox.entries()
    assert entry["repeats"] == 2
    assert [one["repeats"] for one in mailbox.get("/api/messages").json["messages"]] == [2]


def test_mails_without_an_id_are_all_kept(mailbox: Peer, smtp_port: int) -> None:
    with smtp(smtp_port) as client:
        for _ in range(2):
            client.sendmail(SENDER, ["ann@example.com"], b"Subject: no id\r\n\r\nHi\r\n")
    assert len(mailbox.entries()) == 2


@pytest.mark.parametrize(
    "body",
    [
        b"\r\n",
        b"\r\n\r\n",
        b"a\r\n",
        b"ab\r\n",
        b"abc\r\n",
        b".\r\n",
        b"..\r\n.a\r\n",
        b"x" * 998 + b"\r\n",
        b"line\r\n" * 100_000,
    ],
    ids=["blank", "blanks", "a", "ab", "abc", "dot", "dots", "long line", "large"],
)
def test_a_mail_arrives_as_it_was_sent(mailbox: Peer, smtp_port: int, body: bytes) -> None:
    with smtp(smtp_port) as client:
        client.sendmail(SENDER, ["ann@example.com"], body)
        client.sendmail(SENDER, ["ann@example.com"], b"Subject: next\r\n\r\n")
    first, _ = mailbox.entries()
    # smtplib ends a mail that does not end with a line break with one of its own.
    expected = body if body.endswith(b"\r\n") else body + b"\r\n"
    assert mailbox.get(f"/messages/{first['ref']}/source").body == expected


def test_a_mail_of_nothing_is_a_mail(mailbox: Peer, smtp_port: int) -> None:
    with smtp(smtp_port) as client:
        client.ehlo()
        client.mail(SENDER)
        client.rcpt("ann@example.com")
        assert client.docmd("DATA")[0] == 354
        client.send(b".\r\n")
        assert client.getreply()[0] == 250
        client.send_message(mail())
    first, _ = mailbox.entries()
    assert mailbox.get(f"/messages/{first['ref']}/source").body == b""


def test_commands_may_arrive_in_one_packet(mailbox: Peer, smtp_port: int) -> None:
    with smtp(smtp_port) as client:
        client.ehlo()
        assert client.has_extn("pipelining")
        for number in range(2):
            client.send("MAIL FROM:<shop@example.com>\r\nRCPT TO:<ann@example.com>\r\nDATA\r\n")
            assert [client.getreply()[0] for _ in range(3)] == [250, 250, 354]
            client.send(f"Message-ID: <{number}@shop>\r\n\r\nHi\r\n.\r\nNOOP\r\n")
            assert [client.getreply()[0] for _ in range(2)] == [250, 250]
    assert [entry["key"] for entry in mailbox.entries()] == ["<0@shop>", "<1@shop>"]


def test_too_large_a_mail_is_refused_and_the_next_one_taken(mailbox: Peer, smtp_port: int) -> None:
    with smtp(smtp_port) as client:
        client.ehlo()
        assert int(client.esmtp_features["size"]) == 10 * 1024 * 1024
        client.mail(SENDER)
        client.rcpt("ann@example.com")
        assert client.data(b"x" * 70 + b"\r\n" + b"y" * 70 * 160_000)[0] == 552
        client.send_message(mail())
    assert len(mailbox.entries()) == 1


@pytest.mark.parametrize("address", ["ann@example.com", '"a b"@example.com', "ann+tag@sub.example.com"])
def test_addresses_are_read_the_short_way_and_the_long_way(
    mailbox: Peer, smtp_port: int, address: str
) -> None:
    with smtp(smtp_port) as client:
        client.sendmail(SENDER, [f"<{address}>"], mail().as_bytes())
    assert mailbox.entries()[0]["to"] == address


def test_what_smtp_forbids_is_refused(mailbox: Peer, smtp_port: int) -> None:
    with smtp(smtp_port) as client:
        assert client.docmd("DATA")[0] == 503
        client.ehlo()
        assert client.docmd("DATA")[0] == 503
        assert client.docmd("MAIL ann@example.com")[0] == 501
        client.mail(SENDER)
        assert client.rcpt("refused@example.com")[0] == 550
        assert client.docmd("DATA")[0] == 503
    assert mailbox.entries() == []


def test_smtp_faults(mailbox: Peer, smtp_port: int) -> None:
    mailbox.faults(error_rate=1)
    with smtp(smtp_port) as client, pytest.raises(smtplib.SMTPDataError) as failed:
        client.send_message(mail())
    assert failed.value.smtp_code == 451
    assert mailbox.entries() == []
    mailbox.faults(error_rate=0, latency_ms=200)
    began = time.monotonic()
    with smtp(smtp_port) as client:
        client.send_message(mail("<slow@shop>"))
    assert time.monotonic() - began >= 0.2
    mailbox.faults(latency_ms=0, lose_answer_rate=1)
    client = smtplib.SMTP("127.0.0.1", smtp_port, timeout=20)
    with pytest.raises((smtplib.SMTPServerDisconnected, ConnectionError)):
        client.send_message(mail())
    client.close()
    mailbox.faults(lose_answer_rate=0)
    with smtp(smtp_port) as client:
        client.send_message(mail())
    assert [entry["repeats"] for entry in mailbox.entries()] == [0, 1]


def test_down_closes_the_port_and_hangs_up(mailbox: Peer, smtp_port: int) -> None:
    client = smtplib.SMTP("127.0.0.1", smtp_port, timeout=20)
    mailbox.faults(down=True)
    with pytest.raises((smtplib.SMTPServerDisconnected, ConnectionError)):
        client.noop()
    client.close()
    with pytest.raises(ConnectionRefusedError):
        smtplib.SMTP("127.0.0.1", smtp_port, timeout=20)
    mailbox.faults(down=False)
    with smtp(smtp_port) as client:
        client.send_message(mail())
    assert len(mailbox.entries()) == 1


def test_every_accepted_mail_survives_kill_9_once(mailbox: Peer, smtp_port: int) -> None:
    accepted: list[str] = []
    done = threading.Event()

    def keep_sending(number: int) -> None:
        count = 0
        while not done.is_set():
            count += 1
            message = mail(f"<{number}.{count}@shop>")
            while not done.is_set():  # the same mail until it is accepted
                try:
                    with smtp(smtp_port) as client:
                        client.send_message(message)
                except (OSError, smtplib.SMTPException):
                    continue
                accepted.append(message["Message-ID"])
                break

    with ThreadPoolExecutor(4) as pool:
        senders = [pool.submit(keep_sending, number) for number in range(4)]
        try:
            for _ in range(3):
                target = len(accepted) + 50
                while len(accepted) < target:
                    assert not any(sender.done() for sender in senders)
                    done.wait(0.01)
                mailbox.kill()
                mailbox.start()
        finally:
            done.set()
        for sender in senders:
            sender.result()
    keys = [entry["key"] for entry in mailbox.entries()]
    assert len(set(keys)) == len(keys)
    assert set(accepted) <= set(keys)


def test_messages_of_both_kinds_are_listed_and_searched(start: StartPeer, sms: Peer, smtp_port: int) -> None:
    mailbox = start("mailbox", "--smtp-port", str(smtp_port), "--sms-url", sms.url)
    with smtp(smtp_port) as client:
        client.send_message(mail("<1@shop>", "S-1", text="A parcel of jam"))
        client.send_message(mail("<2@shop>", "S-2", text="Ein Päckchen Käse", html="<p>K&auml;se</p>"))
    sms.post("/v1/messages", {"to": "+447700900123", "body": "Jam is on its way", "order": "S-1"})

    def found(**query: str) -> list[tuple[str, str]]:
        answer = mailbox.get("/api/messages", **query).json
        assert answer["problem"] is None
        return [(one["kind"], one["order"]) for one in answer["messages"]]

    assert found() == [("sms", "S-1"), ("email", "S-2"), ("email", "S-1")]
    assert found(order="S-1") == [("sms", "S-1"), ("email", "S-1")]
    assert found(q="JAM") == [("sms", "S-1"), ("email", "S-1")]
    assert found(q="Käse") == [("email", "S-2")], "a body that travels encoded is searched as people read it"
    assert found(to="ann@example.com", limit="1") == [("email", "S-2")]
    assert found(to="nn@example.com") == []
    assert found(kind="sms") == [("sms", "S-1")]
    page = mailbox.get("/")
    assert page.body.count(b'<li><a href="/messages/') == 3
    sms.stop()
    page = mailbox.get("/")
    assert (page.status, page.body.count(b'<li><a href="/messages/')) == (200, 2)
    assert b"does not answer" in page.body


def test_older_messages_are_a_page_away(start: StartPeer, sms: Peer, smtp_port: int) -> None:
    mailbox = start("mailbox", "--smtp-port", str(smtp_port), "--sms-url", sms.url)
    sms.post("/v1/messages", {"to": "+447700900123", "body": "the first of all", "order": "S-0"})
    with smtp(smtp_port) as client:
        for number in range(52):
            client.send_message(mail(f"<{number}@shop>", f"S-{number}"))
    first = mailbox.get("/").body.decode()
    assert first.count('<li><a href="/messages/') == 50
    assert "the first of all" not in first
    older = re.search(r'href="(/\?before=[^"]+)">Older', first)
    assert older is not None
    rest = mailbox.get(unescape(older[1])).body.decode()
    assert re.findall(r'<li><a href="/messages/(em_\d+|sm)', rest) == ["em_2", "em_1", "sm"]
    assert "Older" not in rest
    assert mailbox.get("/?before=yesterday").status == 400


def test_pages_of_a_mail_run_nothing_of_it(mailbox: Peer, smtp_port: int) -> None:
    html = '<script>alert(1)</script><p><img src="cid:logo"> Hi</p>'
    message = mail(html=html, text="<script>alert(2)</script>")
    message.replace_header("Subject", "<script>alert(3)</script>")
    message.add_attachment(b"<svg onload=alert(4)>", maintype="image", subtype="svg+xml", filename="a b.svg")
    parts = message.get_payload()
    assert isinstance(parts, list)
    with smtp(smtp_port) as client:
        client.send_message(message)
    ident = mailbox.entries()[0]["ref"]
    page = mailbox.get(f"/messages/{ident}")
    assert (page.status, b"<script" in page.body) == (200, False)
    assert "default-src 'none'" in page.headers["content-security-policy"]
    assert b'sandbox="allow-popups' in page.body
    framed = mailbox.get(f"/messages/{ident}/html")
    assert framed.headers["content-security-policy"].startswith("sandbox allow-popups")
    assert "script-src" not in framed.headers["content-security-policy"]
    assert b"<script" not in mailbox.get(f"/messages/{ident}", view="text").body
    (file,) = mailbox.get(f"/api/messages/{ident}").json["attachments"]
    download = mailbox.get(f"/messages/{ident}/parts/{file['part']}")
    assert download.headers["content-disposition"] == f"attachment; filename*=UTF-8''{quote('a b.svg')}"
    assert download.headers["x-content-type-options"] == "nosniff"
    for missing in ("em_99", "em_x", "17", f"{ident}/parts/99"):
        assert mailbox.get(f"/messages/{missing}").status == 404


def test_malformed_mails_are_shown_as_far_as_they_go(mailbox: Peer, smtp_port: int) -> None:
    sources = [
        b"no header at all",
        b"Subject: =?utf-8?b?broken\r\nContent-Type: text/plain; charset=nobody-knows\r\n\r\nHi\r\n",
        b"Subject: a\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\nno parts\r\n",
        b"To: <<>>\r\nFrom: \xff\xfe\r\nDate: never\r\nContent-Transfer-Encoding: base64\r\n\r\n!!!\r\n",
    ]
    with smtp(smtp_port) as client:
        for source in sources:
            client.sendmail(SENDER, ["ann@example.com"], source)
    entries = mailbox.entries()
    assert len(entries) == len(sources)
    for entry in entries:
        assert mailbox.get(f"/api/messages/{entry['ref']}").status == 200
        assert mailbox.get(f"/messages/{entry['ref']}").status == 200
        assert mailbox.get(f"/messages/{entry['ref']}", view="headers").status == 200
    assert mailbox.get("/", q="broken").status == 200


def test_the_smtp_port_in_use_is_named(mailbox: Peer, smtp_port: int) -> None:
    command = [sys.executable, "-m", "sandbox.mailbox", "--port", str(free_port())]
    command += ["--smtp-port", str(smtp_port), "--ledger", str(mailbox.ledger.with_name("other.db"))]
    second = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=30, check=False)
    assert second.returncode == 1
    assert f"127.0.0.1:{smtp_port}" in second.stderr
    assert "Traceback" not in second.stderr
