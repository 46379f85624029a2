"""What e-mails say: each kind in both forms, nothing that a buyer wrote, long orders cut short."""

import re
from uuid import UUID

import pytest
from django.conf import settings
from django.template import engines

from orders.notifications.messages import Kind, Message

LINES = [(2, "Round mug <speckled>", 2_500), (1, "Tea towel & birds", 999)]


def render(kind: Kind, form: str, lines: list[tuple[int, str, int]] = LINES) -> str:
    message = Message(
        id=1,
        order_id=17,
        kind=kind,
        key=UUID(int=1),
        token="a-token",
        email="ada@example.com",
        phone="+441632960001",
        currency="GBP",
        total_minor=3_499,
        refund_minor=999,
    )
    context = {"message": message, "lines": lines}
    return str(engines["jinja2"].get_template(f"orders/email/{kind}.{form}").render(context))


@pytest.mark.parametrize("form", ["txt", "html"])
@pytest.mark.parametrize("kind", Kind)
def test_every_kind_names_the_order_and_leads_to_its_page(kind: Kind, form: str) -> None:
    letter = render(kind, form)
    assert "S-100017" in letter
    assert "/orders/a-token/" in letter
    assert "{{" not in letter


def test_nothing_that_a_buyer_wrote_is_at_hand_for_a_text() -> None:
    """Whoever orders can name a stranger's address; what they write must not reach it (spam through greetings)."""
    known = set(Message.__dataclass_fields__)
    assert not known & {"name", "line1", "line2", "city", "postcode"}


@pytest.mark.parametrize("form", ["txt", "html"])
@pytest.mark.parametrize("kind", Kind)
def test_the_links_of_an_e_mail_lead_to_the_shop_alone(kind: Kind, form: str) -> None:
    links = re.findall(r"""[a-z]+://[^\s"'<>]+|www\.\S+""", render(kind, form))
    assert links
    assert all(link.startswith(settings.SHOP_URL) for link in links)


def test_markup_in_an_articles_name_is_text_in_both_forms() -> None:
    assert "Round mug &lt;speckled&gt;" in render(Kind.CONFIRMATION, "html")
    assert "Round mug <speckled>" in render(Kind.CONFIRMATION, "txt")


@pytest.mark.parametrize("form", ["txt", "html"])
def test_a_confirmation_lists_lines_total_and_invoice(form: str) -> None:
    letter = render(Kind.CONFIRMATION, form)
    for piece in ("2 × Round mug", "£25.00", "£9.99", "£34.99", "/orders/a-token/invoice.pdf"):
        assert piece in letter


@pytest.mark.parametrize("form", ["txt", "html"])
def test_a_long_order_is_cut_short_and_says_so(form: str) -> None:
    letter = render(Kind.CONFIRMATION, form, [(1, f"Article {number}.", 100) for number in range(687)])
    assert "Article 49." in letter
    assert "Article 50." not in letter
    assert "637 more" in letter


@pytest.mark.parametrize("kind", Kind)
def test_nothing_is_loaded_from_elsewhere(kind: Kind) -> None:
    letter = render(kind, "html")
    assert "<img" not in letter
    assert "<link" not in letter
    assert "@import" not in letter


@pytest.mark.parametrize("form", ["txt", "html"])
def test_a_refund_names_what_was_sent_now(form: str) -> None:
    letter = render(Kind.REFUNDED, form)
    assert "We have sent £9.99 for your order" in letter
    assert "all of £34.99" in letter
