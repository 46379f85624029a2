"""E-mail, through Django's mail backend, over a few connections that are kept open for the whole batch.

The Message-ID is made from the message's row, so that mail stores which drop duplicates know a repeated message.
"""

import smtplib
from collections import defaultdict
from collections.abc import Collection
from concurrent.futures import ThreadPoolExecutor
from time import monotonic
from typing import Any, LiteralString

from django.conf import settings
from django.core.mail import get_connection
from django.template import engines

from orders import sql
from orders.crashpoints import Point, reached
from orders.notifications.messages import RETURNED, Kind, Message, begin, finish
from orders.notifications.outgoing_email import OutgoingEmail, sender_domain
from orders.providers.failures import NotNow, Outcome, ProviderError, Refused, Transient
from orders.states import Channel

# So many connections share a batch, each with at least so many messages: to open one costs as much as to send several.
_CONNECTIONS = 8
_MESSAGES_A_CONNECTION = 25
# A slow server ends the batch here, well within its orders' lease; the rest is a batch of its own.
_BATCH_SECONDS = 8.0

_SUBJECTS: dict[str, str] = {
    Kind.CONFIRMATION: "Your order {number}",
    Kind.OUT_OF_STOCK: "Sorry: your order {number} sold out",
    Kind.PAYMENT_DECLINED: "Your payment for order {number} did not go through",
    Kind.CANCELLED: "Your order {number} is cancelled",
    Kind.REFUNDED: "Your refund for order {number}",
    RETURNED: "The parcel of your order {number} came back",
}
# The lines of these orders, as the e-mail lists them.
_LINES: LiteralString = """
SELECT order_id, quantity, name, quantity * unit_price_minor FROM orders_orderline
WHERE order_id = ANY(%(ids)s) ORDER BY order_id, position
"""


def mail(ids: Collection[int]) -> Outcome:
    """Send each order the e-mail that its state calls for, once."""
    reached(Point.EMAIL_BEFORE_ROW, ids)
    messages = begin(ids, Channel.EMAIL)
    reached(Point.EMAIL_AFTER_ROW, ids)
    sent, errors = _mail(messages)
    reached(Point.EMAIL_AFTER_CALL, ids)
    outcome = finish(ids, Channel.EMAIL, messages, sent, errors)
    reached(Point.EMAIL_AFTER_COMMIT, ids)
    return outcome


def _mail(messages: list[Message]) -> tuple[dict[int, str], dict[int, ProviderError]]:
    lines: dict[int, list[tuple[int, str, int]]] = defaultdict(list)
    for order_id, *line in sql.rows(_LINES, {"ids": [message.order_id for message in messages]}):
        lines[order_id].append(tuple(line))
    answers = _deliver([(message.id, _compose(message, lines[message.order_id])) for message in messages])
    errors = {message_id: answer for message_id, answer in answers if isinstance(answer, ProviderError)}
    return {message_id: answer for message_id, answer in answers if isinstance(answer, str)}, errors


def _compose(message: Message, lines: list[tuple[int, str, int]]) -> OutgoingEmail:
    context = {"message": message, "lines": lines}
    email = OutgoingEmail(
        boundary=str(message.key),
        subject=_SUBJECTS[message.words].format(number=message.order_number),
        body=engines["jinja2"].get_template(f"orders/email/{message.words}.txt").render(context),
        sender=settings.DEFAULT_FROM_EMAIL,
        to=message.email,
        headers={
            "Message-ID": f"<{message.key}@{sender_domain(settings.DEFAULT_FROM_EMAIL)}>",
            "X-Order": message.order_number,
            "Auto-Submitted": "auto-generated",
        },
    )
    email.attach_alternative(
        engines["jinja2"].get_template(f"orders/email/{message.words}.html").render(context), "text/html"
    )
    return email


Outgoing = list[tuple[int, OutgoingEmail]]
Answers = list[tuple[int, str | ProviderError]]


def _deliver(emails: Outgoing) -> Answers:
    if not emails:
        return []
    connections = min(_CONNECTIONS, 1 + len(emails) // _MESSAGES_A_CONNECTION)
    if connections == 1:
        return _deliver_over_one_connection(emails)
    shares = [emails[first::connections] for first in range(connections)]
    with ThreadPoolExecutor(connections) as pool:
        return [answer for share in pool.map(_deliver_over_one_connection, shares) for answer in share]


def _deliver_over_one_connection(emails: Outgoing) -> Answers:
    connection = get_connection()
    try:
        connection.open()
    except (OSError, smtplib.SMTPException) as error:
        return [(message_id, _meaning(error)) for message_id, _ in emails]
    answers: Answers = []
    stop = monotonic() + _BATCH_SECONDS
    try:
        for message_id, email in emails:
            if monotonic() > stop:
                break
            answers.append((message_id, _send(connection, email)))
    finally:
        connection.close()
    return answers


def _send(connection: Any, email: OutgoingEmail) -> str | ProviderError:
    try:
        connection.send_messages([email])
    except (OSError, smtplib.SMTPException) as error:
        connection.close()  # the next email opens it anew
        return _meaning(error)
    return str(email.extra_headers["Message-ID"])


def _meaning(error: OSError | smtplib.SMTPException) -> ProviderError:
    """A 5xx answer is final (RFC 5321); everything else may pass. An answer about the recipient is not about the
    server."""
    codes = []
    if isinstance(error, smtplib.SMTPRecipientsRefused):
        codes = [code for code, _ in error.recipients.values()]
    elif isinstance(error, smtplib.SMTPResponseException):
        codes = [error.smtp_code]
    message = f"{settings.EMAIL_HOST}: {error}"
    if codes and min(codes) >= 500:
        return Refused(message)
    return NotNow(message) if isinstance(error, smtplib.SMTPRecipientsRefused) else Transient(message)
