"""E-mails to domains of other letters, and what is not in any e-mail, through a real mail server."""

import json
import re
import urllib.request
from typing import Any

import pytest
from django.conf import settings
from django.utils.http import urlencode
from pytest_django import Settings

from orders import inventory
from orders.models import Order
from orders.notifications import email
from orders.placing import place
from tests.making import draft, stock

pytestmark = pytest.mark.django_db(transaction=True)


def reserved(**said: str) -> Order:
    """An order that is paid at the door, with these fields."""
    stock(KETTLE=1_000)
    wanted = draft(card=None)
    given = {name: getattr(wanted, name) for name in wanted.__slots__}
    address = {name: getattr(wanted.address, name) for name in wanted.address.__slots__}
    given["address"] = type(wanted.address)(**address | {key: said[key] for key in said if key in address})
    order_id = place(type(wanted)(**given | {key: said[key] for key in said if key in given}), wait=False).id
    inventory.reserve([order_id])
    return Order.objects.get(pk=order_id)


def received(order: Order) -> dict[str, Any]:
    """The one e-mail about the order that the mailbox has, with its headers, text and HTML."""
    [found] = _ask(f"/api/messages?{urlencode({'order': order.number, 'kind': 'email'})}")["messages"]
    return _ask(f"/api/messages/{found['id']}")


def _ask(path: str) -> dict[str, Any]:
    with urllib.request.urlopen(f"{settings.MAILBOX_URL}{path}") as answer:  # noqa: S310 (our own URL)
        found: dict[str, Any] = json.load(answer)
    return found


@pytest.mark.parametrize(
    ("address", "sent_to"),
    [
        ("ada@münchen.example", "ada@xn--mnchen-3ya.example"),
        ("ada@faß.example", "ada@xn--fa-hia.example"),
        ("ada@例え.テスト", "ada@xn--r8jz45g.xn--zckzah"),
        ("o'brien+x@example.com", "o'brien+x@example.com"),
    ],
)
def test_an_e_mail_reaches_a_domain_of_other_letters(address: str, sent_to: str) -> None:
    order = reserved(email=address)
    assert email.mail([order.pk]).done == [order.pk]
    assert received(order)["to"] == [sent_to]


def test_the_shops_own_address_may_have_a_domain_of_other_letters(settings: Settings) -> None:
    settings.DEFAULT_FROM_EMAIL = "Töpferwaren Größe Straße Übung Ärger Öfen Füße <laden@töpfer.example>"
    order = reserved()
    assert email.mail([order.pk]).done == [order.pk]
    mail = received(order)
    assert mail["from"] == "laden@xn--tpfer-jua.example"
    assert str(mail["message_id"]).endswith("@xn--tpfer-jua.example>")


def test_what_a_buyer_writes_is_in_no_e_mail() -> None:
    lure = "WIN 500 GBP http://prize.example/x"
    order = reserved(name=lure, line1=lure, line2=lure, city=lure)
    assert email.mail([order.pk]).done == [order.pk]
    mail = received(order)
    said = json.dumps(mail, ensure_ascii=False)
    for part in ("WIN", "prize.example"):
        assert part not in said
    links = re.findall(r"[a-z]+://[^\s\"'<>\\]+", f"{mail['text']} {mail['html']}")
    assert links
    assert all(link.startswith(settings.SHOP_URL) for link in links)
