"""What goes over the wire is what Django would have sent, whatever stands in the headers."""

from email import message_from_bytes, policy
from email.utils import formataddr
from typing import Any

from django.core.mail import EmailMultiAlternatives
from hypothesis import given
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
    ours = OutgoingEmail(boundary="0198", sender=sender, to=(name, "ada@example.com"), **parts)
    django = EmailMultiAlternatives(from_email=sender, to=[formataddr((name, "ada@example.com"))], **parts)
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
