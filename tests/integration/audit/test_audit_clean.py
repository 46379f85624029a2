"""The books are clean when all is well: at rest, and while orders are pouring in."""

from concurrent.futures import ThreadPoolExecutor

import pytest
from django.db import connection, transaction

from orders.models import Order, OrderEvent
from orders.providers.http import close_client
from orders.states import OrderStatus
from tests.integration.audit.conftest import Shop, carry, clear_up
from workers.audit.books import prove

NAMES = [
    "accounted",
    "money",
    "stock",
    "failed_orders",
    "notifications",
    "shipments",
    "documents",
    "events",
    "nothing_uncommitted",
]


def test_orders_of_every_kind_leave_clean_books(shop: Shop) -> None:
    states = {name: shop.order(name).status for name in shop.orders}
    assert states == {
        "completed": OrderStatus.COMPLETED,
        "cod": OrderStatus.COMPLETED,
        "cancelled": OrderStatus.CANCELLED,
        "declined": OrderStatus.PAYMENT_DECLINED,
        "sold_out": OrderStatus.OUT_OF_STOCK,
        "placed": OrderStatus.PLACED,
    }
    assert set(Order.objects.exclude(ended_at=None).values_list("pk", flat=True)) == {
        shop[name] for name in states if name != "placed"
    }
    report = shop.audit()
    assert shop.problems() == {}
    assert report.clean
    assert {result.check.name: result.counted for result in report.results} == {
        "accounted": 6,
        "money": 6,
        "stock": 3,
        "failed_orders": 3,
        "notifications": 10,
        "shipments": 2,
        "documents": 2,
        "events": OrderEvent.objects.count(),
        # captured 2, declined, refunded; mails 5, texts 5; parcels 2
        "nothing_uncommitted": 16,
    }


def test_an_empty_shop_has_clean_books(empty_shop: Shop) -> None:
    report = empty_shop.audit()
    assert report.clean
    assert [result.check.name for result in report.results] == NAMES


def test_without_ledgers_our_own_tables_are_proved(shop: Shop) -> None:
    report = prove(with_ledgers=False)
    assert report.clean
    # What has happened outside cannot be told from our tables.
    assert [result.check.name for result in report.results] == NAMES[:-1]


def test_it_refuses_to_run_on_an_old_snapshot(shop: Shop) -> None:
    with pytest.raises(RuntimeError, match="durable"), transaction.atomic():
        prove(with_ledgers=False)


def test_it_leaves_the_connection_as_it_was(shop: Shop) -> None:
    shop.audit()
    with connection.cursor() as cursor:
        cursor.execute("SHOW transaction_isolation")
        assert cursor.fetchone() == ("read committed",)
        cursor.execute("SELECT count(*) FROM pg_class WHERE relname LIKE 'audit_%%' AND relkind = 'r'")
        assert cursor.fetchone() == (0,)


def test_clean_while_orders_pour_in(empty_shop: Shop) -> None:
    """Orders are in every stage of their way while the books are opened, again and again."""
    cards = ["pm_card_visa", None, "pm_card_chargeDeclined"]

    def buy(buyer: int) -> None:
        try:
            for trip in range(8):
                ids = [empty_shop.place(f"{buyer}-{trip}-{card}", card=card) for card in cards]
                carry(ids)
                clear_up(ids)
        finally:
            connection.close()
            close_client()

    with ThreadPoolExecutor(2) as buyers:
        working = [buyers.submit(buy, buyer) for buyer in range(2)]
        audits = 0
        while not all(one.done() for one in working):
            assert empty_shop.problems() == {}
            audits += 1
    for one in working:
        one.result()
    assert audits > 5
    assert empty_shop.problems() == {}
    assert Order.objects.filter(status=OrderStatus.COMPLETED).count() == 2 * 8 * 2
