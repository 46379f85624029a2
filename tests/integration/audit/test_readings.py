"""The ledgers are read before and after our books are opened, and one that cannot be read proves nothing."""

from django.db import connection
from pytest_django import Settings

from orders.providers.http import close_client
from orders.states import OrderStatus
from tests.integration.audit.conftest import Shop, carry
from tests.integration.audit.lying import Entries, Lying
from tests.servers import Servers
from workers.audit.books import prove


def test_what_is_done_after_the_first_reading_is_found_by_the_second(empty_shop: Shop, lying: Lying) -> None:
    """Our books claim what only the second reading shows."""
    pages: list[int] = []

    def carry_at_the_first_page(entries: Entries) -> Entries:
        if not pages:
            carry([empty_shop.place("meanwhile")])
            connection.close()
            close_client()
        pages.append(len(entries))
        return entries

    with lying("mailbox", carry_at_the_first_page):  # the last to be read: the others' first reading is over
        report = empty_shop.audit()
    assert report.clean, report
    assert pages == [0, 1]
    assert empty_shop.order("meanwhile").status == OrderStatus.COMPLETED


def test_what_is_done_after_the_books_were_opened_need_not_be_in_them(empty_shop: Shop, lying: Lying) -> None:
    """Money, text and parcel are in the second reading of the ledgers, of an order that the books do not know."""
    pages: list[int] = []

    def carry_at_the_second_page(entries: Entries) -> Entries:
        pages.append(len(entries))
        if len(pages) == 2:
            carry([empty_shop.place("afterwards")])
            connection.close()
            close_client()
        return entries

    with lying(
        "payments", carry_at_the_second_page
    ):  # the first to be read: the others' second reading follows
        report = empty_shop.audit()
    assert report.clean, report
    assert [result.counted for result in report.results if result.check.name == "accounted"] == [0]
    assert empty_shop.order("afterwards").status == OrderStatus.COMPLETED


def test_a_ledger_that_cannot_be_read(shop: Shop, servers: Servers) -> None:
    servers.stop("sms")
    try:
        found = shop.problems()
    finally:
        servers.start("sms")
    assert set(found) == {"notifications", "nothing_uncommitted"}
    for [problem] in found.values():
        assert problem.startswith("The ledger of sms cannot be read: ")
    assert shop.problems() == {}


def test_a_ledger_that_is_not_configured(shop: Shop, settings: Settings) -> None:
    settings.CARRIER_URL = ""
    found = shop.problems()
    assert set(found) == {"failed_orders", "shipments", "nothing_uncommitted"}
    assert found["shipments"] == ["The ledger of carrier cannot be read: CARRIER_URL is not set"]


def test_our_own_tables_bite_without_ledgers(shop: Shop) -> None:
    corrupted = shop.number("placed")
    with connection.cursor() as cursor:
        cursor.execute("UPDATE orders_order SET due_at = NULL WHERE id = %s", [shop["placed"]])
    [result] = [result for result in prove(with_ledgers=False).results if not result.ok]
    assert result.check.name == "accounted"
    assert corrupted in result.problems[0]
