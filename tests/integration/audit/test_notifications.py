"""Every customer is told once, or a dead letter says why not."""

import pytest

from tests.integration.audit.conftest import Shop, corrupt
from tests.integration.audit.lying import Lying
from workers.models import DeadLetter


def test_a_message_that_was_given_up_without_a_dead_letter(shop: Shop) -> None:
    corrupt(
        "UPDATE orders_notification SET status = 'failed' WHERE order_id = %s AND channel = 'sms'",
        shop["completed"],
    )
    assert shop.only_problem("notifications") == (
        f"Order {shop.number('completed')} is completed, but its confirmation sms is failed without a dead letter."
    )
    DeadLetter.objects.create(
        order_id=shop["completed"], task="sms.send", error_class="Refused", message="", stops_order=False
    )
    assert shop.problems() == {}


@pytest.mark.parametrize("name", ["completed", "declined"])
def test_a_message_that_was_never_sent(shop: Shop, name: str) -> None:
    corrupt(
        "UPDATE orders_notification SET status = 'requested' WHERE order_id = %s AND channel = 'email'",
        shop[name],
    )
    problem = shop.only_problem("notifications")
    assert problem.startswith(f"Order {shop.number(name)} is ")
    assert problem.endswith(" email is requested.")


@pytest.mark.parametrize(("channel", "who"), [("email", "the mailbox"), ("sms", "the SMS gateway")])
def test_a_message_that_only_our_books_have(shop: Shop, channel: str, who: str) -> None:
    corrupt(
        "INSERT INTO orders_notification (order_id, channel, kind, status) VALUES (%s, %s, 'confirmation', 'sent')",
        shop["placed"],
        channel,
    )
    problem = shop.only_problem("notifications")
    assert problem.startswith(f"Order {shop.number('placed')} was sent its confirmation ")
    assert problem.endswith(f"say our books, but {who} never had it.")


@pytest.mark.parametrize("provider", ["mailbox", "sms"])
def test_a_message_that_arrived_twice(shop: Shop, lying: Lying, provider: str) -> None:
    with lying(provider, lambda entries: entries + [e for e in entries if e["order"] == shop.number("cod")]):
        problem = shop.only_problem("notifications")
    assert problem.startswith(f"Order {shop.number('cod')} was sent 2 messages by {provider} under the key ")
