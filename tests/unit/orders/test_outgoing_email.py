"""What goes over the wire is what Django would have sent, whatever stands in the headers."""

import re
from email import message_from_bytes, policy
from email.utils import parseaddr
from typing import Any

from django.core.mail import EmailMultiAlternatives
from hypothesis import example, given
from hypothesis import strategies as st

from orders.notifications.outgoing_email import OutgoingEmail

LINES = st.text(st.characters(exclude_categories=["Cs", "Cc", "Zl", "Zp"]), max_size=200)


@given(subject=LINES, name=LINES, body=LINES.filter(bool))
def test_a_letter_reads_as_djangos_own(subject: str, name: str, body: str) -> None:
    sender = "Stampede <orders@stampede.example>"
    parts: dict[str, Any] = {
        "subject": subject,
        "body": body,
        "headers": {
            "Message-ID": "<0198@stampede.example>",
            "X-Name": name,
            "Date": "Fri, 20 Nov 2026 10:00:00 -0000",
        },
    }
    ours = OutgoingEmail(boundary="0198", sender=sender, to="ada@example.com", **parts)
    django = EmailMultiAlternatives(from_email=sender, to=["ada@example.com"], **parts)
    for letter in (ours, django):
        letter.attach_alternative(f"<p>{body}</p>", "text/html")
    read, wanted = (
        message_from_bytes(letter.message().as_bytes(), policy=policy.default) for letter in (ours, django)
    )
    for header in ("Subject", "From", "To", "Message-ID", "X-Name", "Date"):
        assert read[header] == wanted[header]
    for form in ("plain", "html"):
        ours_part, django_part = read.get_body((form,)), wanted.get_body((form,))
        assert ours_part is not None
        assert django_part is not None
        assert ours_part.get_content() == django_part.get_content()


@given(
    name=st.text(st.characters(exclude_categories=["C", "Zl", "Zp"], exclude_characters='"\\'), max_size=200)
)
@example(name="Müller & Söhne Großhandel für Töpferwaren aus aller Welt")
@example(name="名" * 60)
def test_no_word_of_a_header_is_longer_than_a_mail_server_takes(name: str) -> None:
    """75 characters for an encoded word (RFC 2047, 2), 998 for a line (RFC 5322, 2.1.1)."""
    letter = OutgoingEmail(
        boundary="0198",
        sender=f'"{name}" <shop@münchen.example>',
        to="ada@faß.example",
        subject="Your order S-100017",
        body="Thank you.",
        headers={"Message-ID": "<0198@stampede.example>"},
    )
    raw = letter.message().as_bytes()
    head = raw.partition(b"\n\n")[0]
    assert head.isascii()
    assert all(len(word) <= 75 for word in re.findall(rb"=\?\S+?\?[bq]\?\S*?\?=", head))
    assert all(len(line) <= 998 for line in head.splitlines())
    read = message_from_bytes(raw, policy=policy.default)
    assert read["To"] == "ada@xn--fa-hia.example"
    assert parseaddr(str(read["From"]))[1] == letter.from_email[1] == "shop@xn--mnchen-3ya.example"
    assert letter.recipients() == [("", "ada@xn--fa-hia.example")]
