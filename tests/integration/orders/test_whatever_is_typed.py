"""Whatever people type, of all that Unicode has: it is refused with a reason, or right wherever it arrives.

Names, addresses, phones, e-mails and quantities go through the form and the API into orders, and these through every
step to the e-mail, the text message, the parcel's label, the archival PDF with its XML, the lists, the CSV and the
operator's page. No step may stumble, for each would leave a dead letter.
"""

import csv
import io
import json
import re
import urllib.request
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from django.conf import settings as django_settings
from django.test import Client
from django.utils.http import urlencode
from facturx import get_facturx_xml_from_pdf
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from lxml import etree
from pytest_django import Settings

from orders import closing, files, inventory
from orders.invoices import pdf
from orders.models import Document, Order, Printout
from orders.notifications.addressing import smtp_address
from orders.printouts.asking import ask
from orders.states import OrderStatus
from orders.workflow import SIDE_BY_SIDE, work_of
from shop.catalogue.models import Category, Product
from shop.checkout.rules import COUNTRIES
from tests.making import ledger, stock
from workers import documents
from workers.models import DeadLetter

pytestmark = pytest.mark.django_db(transaction=True)

EXAMPLES = 10
NAMES = ("name", "line1", "line2", "city")
# What shops have stumbled over: markup and commands of all kinds, signs that nobody sees, that turn text round, that
# few fonts have, that join, that are composed.
PIECES = [
    "Ada", "Łukasz", "山田", "太郎", "สมชาย", "محمد", "דוד", "प्रिया", "김철수", "Zoë", "e\u0301", "ﬁ", "ß", "İ", "ﷺ",
    "🌸", "👩\u200d👩\u200d👧", "1\ufe0f\u20e3", "🏴\U000e0067\U000e007f", "𒀀", "𐎠", "ꦲ", "\U00020bb7",
    "a" + "\u0301" * 9, "\u202e", "\u202a", "\u2066", "\u200b", "\u200d", "\u3164", "\u00a0", "\u3000", "\u2028",
    "\x85", "\x00", "\n", "\t", "\ue000", "\ufffe", "\u0378", "\U0010ffff", "=1+1", "＝1", "@SUM", "-2", "+3", "'", '"',
    "\\", "<b>", "&amp;", "]]>", "{{ 7*7 }}", "{% x %}", "#panic()", "$x$", "%s", "\r\nBcc: all@example.com",
    "http://prize.example", "www.x.example", "x" * 60, "/", ",", ";", " ", "  ",
]  # fmt: skip
EVERYTHING = st.characters(exclude_categories=["Cs"])
PRINTABLE = st.characters(categories=["L", "M", "N", "P", "S", "Zs"])
LINES = st.one_of(
    st.text(EVERYTHING, max_size=30),
    st.text(PRINTABLE, min_size=1, max_size=130),
    st.lists(st.sampled_from(PIECES), min_size=1, max_size=6).map("".join),
    st.sampled_from(["Ada Lovelace", "山田 太郎 🌸", "x" * 120]),
)
E_MAILS = st.one_of(
    st.emails(),
    st.text(EVERYTHING, max_size=30),
    st.builds(
        "{}@{}.example".format, st.sampled_from(["ada", "jörg", "a.b+c"]), st.text(PRINTABLE, max_size=20)
    ),
    st.sampled_from(
        [
            "ada@münchen.example",
            "ada@例え.テスト",
            "\u202aada@example.com\u202c",
            "ａｄａ＠ｅｘａｍｐｌｅ．ｃｏｍ",
        ]
    ),
)
PHONES = st.one_of(
    st.text(EVERYTHING, max_size=20),
    st.text("+0123456789 ()-./٠١٢３４", max_size=20),
    st.sampled_from(
        ["+44 (0)20 7946 0958", "020 7946 0958", "\u202a+49\u00a0170 1234567\u202c", "０９０１２３４５６７８"]
    ),
)
POSTCODES = st.one_of(LINES, st.sampled_from(["SW1Y 4JH", "sw1y4jh", "10115", "100-0001", "", "!!!"]))
# What is typed into the cart's box, where all is text: digits of all scripts, signs that count as numbers or as none.
BOX = [
    *(
        "2",
        " 3 ",
        "0",
        "-1",
        "+4",
        "1.5",
        "1,000",
        "1e3",
        "0x2",
        "２",
        "٣",
        "५",
        "²",
        "½",
        "Ⅳ",
        "一",
        "\u200b2",
    ),
    "1" * 5000,
]
QUANTITIES = st.one_of(st.integers(1, 3), st.sampled_from([0, -1, 10**9, 10**30, 1.5, "1", "x", None, True]))


def mostly_good(strange: st.SearchStrategy[str], good: str) -> st.SearchStrategy[str]:
    """So that a body is not refused each time for one of its eight fields alone."""
    return st.integers(0, 3).flatmap(lambda dice: strange if dice == 0 else st.just(good))


TYPED = st.fixed_dictionaries(
    {
        "email": mostly_good(E_MAILS, "ada@example.com"),
        "phone": mostly_good(PHONES, "+44 20 7946 0958"),
        "country": st.one_of(st.sampled_from(["HK", "AE", "AQ"]), st.sampled_from(sorted(COUNTRIES))),
        "postcode": mostly_good(POSTCODES, ""),
        **{name: mostly_good(LINES, "Ada Lovelace") for name in NAMES},
        "quantity": mostly_good(QUANTITIES, 1),  # type: ignore[arg-type]
        "box": st.one_of(st.sampled_from(BOX), st.text(st.characters(categories=["N"]), max_size=3), LINES),
    }
)


@pytest.fixture
def shop(settings: Settings, tmp_path: Path) -> None:
    settings.MEDIA_ROOT = str(tmp_path)
    settings.CASH_ORDERS_A_DAY = 0  # one buyer, many addresses
    settings.STORAGES = {
        **settings.STORAGES,
        "staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"},
    }
    kitchen = Category.objects.create(name="Kitchen", slug="kitchen")
    Product.objects.create(sku="MUG", name="Enamel mug", category=kitchen, price_minor=1, currency="GBP")
    stock(MUG=1_000_000)


@settings(
    max_examples=EXAMPLES,
    deadline=None,
    phases=[
        Phase.explicit,
        Phase.generate,
    ],  # a dozen orders an example: to look for a smaller one takes minutes
    suppress_health_check=[
        HealthCheck.function_scoped_fixture,
        HealthCheck.too_slow,
        HealthCheck.data_too_large,
    ],
)
@given(typed=st.lists(TYPED, min_size=12, max_size=12))
def test_it_is_refused_with_a_reason_or_right_wherever_it_arrives(
    shop: None, admin_client: Client, typed: list[dict[str, Any]]
) -> None:
    orders = []
    for one in typed:
        by_api, by_form = over_the_api(one), over_the_form(one)
        in_the_cart(one["box"])
        orders += [order for order in (by_api, by_form) if order]
        if by_api and by_form:  # the same rules
            kept = ("email", "phone", "postcode", "country", *NAMES)
            assert [getattr(by_api, name) for name in kept] == [getattr(by_form, name) for name in kept]
    worked_off(orders)
    assert not DeadLetter.objects.exists()
    mailed_and_texted(orders)
    labelled(orders)
    printed(orders)
    listed(orders)
    for order in orders:
        page = admin_client.get(f"/admin/orders/order/{order.pk}/change/")
        assert page.status_code == 200


def over_the_api(typed: dict[str, Any]) -> Order | None:
    body = {
        **{name: typed[name] for name in ("email", "phone")},
        "items": [{"sku": "MUG", "quantity": typed["quantity"]}],
        "shipping_address": {name: typed[name] for name in ("country", "postcode", *NAMES)},
        "payment": {"method": "cod"},
    }
    answer = Client().post(
        "/api/orders/", json.dumps(body), "application/json", headers={"Idempotency-Key": str(uuid4())}
    )
    said = answer.json()
    if answer.status_code == 201:
        return Order.objects.get(token=said["token"])
    assert answer.status_code == 400, said
    assert said["errors"]
    assert all(len(reason) > 10 for reasons in said["errors"].values() for reason in reasons)
    return None


def over_the_form(typed: dict[str, Any]) -> Order | None:
    client = Client()
    client.post("/cart/MUG/", {"quantity": 1})
    page = client.get("/checkout/").content.decode()
    ticket = re.search(r'name="ticket" value="([^"]+)"', page)
    assert ticket
    form = {name: typed[name] for name in ("email", "phone", "country", "postcode", *NAMES)}
    answer = client.post("/checkout/", {**form, "payment": "cod", "ticket": ticket[1]})
    if answer.status_code == 303:
        return Order.objects.get(token=answer["Location"].split("/")[2])
    assert answer.status_code == 422
    errors = answer.context["form"].errors
    assert errors
    assert all(len(reason) > 10 for reasons in errors.values() for reason in reasons)
    return None


def in_the_cart(box: str) -> None:
    """The box takes what is typed as the number that it reads as, or the cart stays as it was and the page says why."""
    client = Client()
    client.post("/cart/MUG/", {"quantity": 7})
    answer = client.post("/cart/MUG/", {"set": "", "quantity": box}, follow=True)
    assert answer.status_code == 200
    [line] = answer.context["cart"].lines or [None]
    said = [str(message) for message in answer.context["messages"]]
    if said:
        assert line.quantity == 7
        assert all(len(reason) > 10 for reason in said)
    else:
        assert int(box) == (line.quantity if line else 0)


def worked_off(orders: list[Order]) -> None:
    """Every step does all of them, and each order comes to its good end."""
    ids = [order.pk for order in orders]
    inventory.reserve(ids)
    for step in SIDE_BY_SIDE:
        outcome: Any = work_of(step)(ids)
        assert sorted(getattr(outcome, "done", outcome)) == ids, (step, outcome)
    assert sorted(closing.complete(ids)) == ids
    assert set(Order.objects.filter(pk__in=ids).values_list("status", flat=True)) <= {OrderStatus.COMPLETED}


def mailed_and_texted(orders: list[Order]) -> None:
    texts = {entry["order"]: entry["to"] for entry in ledger("sms")}
    for order in orders:
        assert texts[order.number] == order.phone
        wanted = urlencode({"order": order.number, "kind": "email"})
        [mail] = asked(f"/api/messages?{wanted}")["messages"]
        assert mail["to"] == [smtp_address(order.email)]


def asked(path: str) -> dict[str, Any]:
    with urllib.request.urlopen(f"{django_settings.MAILBOX_URL}{path}") as answer:  # noqa: S310 (our own URL)
        found: dict[str, Any] = json.load(answer)
    return found


def labelled(orders: list[Order]) -> None:
    labels = {entry["order"]: entry["to"] for entry in ledger("carrier")}
    assert all((labels[order.number] or "") == order.postcode for order in orders)


def printed(orders: list[Order]) -> None:
    for document in Document.objects.filter(order__in=orders).select_related("order"):
        content = pdf(document).read_bytes()
        assert b"<pdfaid:part>3</pdfaid:part>" in content
        xml = get_facturx_xml_from_pdf(content, check_schematron=False)[1]
        buyer = etree.fromstring(xml).xpath("//*[local-name()='BuyerTradeParty']/*[local-name()='Name']")[0]
        assert buyer.text == document.order.name


def listed(orders: list[Order]) -> None:
    ids = [order.pk for order in orders]
    for kind in Printout.Kind:
        if ids and kind != Printout.Kind.CATALOGUE:
            wanted = ask(kind, by="ada", orders=ids)
            documents.make_printout(wanted.pk)
            wanted.refresh_from_db()
            assert wanted.state == Printout.State.DONE, wanted.problem
            if kind == Printout.Kind.ORDERS_CSV:
                text = files.path_of(wanted.file).read_bytes().decode("utf-8-sig")
                rows = {row["order"]: row for row in csv.DictReader(io.StringIO(text, newline=""))}
                for order in orders:
                    for name in ("name", "email"):
                        kept, cell = getattr(order, name), rows[order.number][name]
                        assert cell.removeprefix("'") == kept.removeprefix("'")
                        assert cell[0] not in "=+-@＝＋－＠"
