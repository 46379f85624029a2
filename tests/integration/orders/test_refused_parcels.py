"""A parcel that the carrier refuses: asked for again under a key of its own, and never booked twice."""

from dataclasses import astuple

import pytest

from orders import inventory, locking, sql
from orders.invoices import issuing, printing
from orders.invoices.content import content_of
from orders.models import Document, Order, OrderEvent, Shipment
from orders.payments import charging
from orders.placing import Address
from orders.printouts import slips
from orders.providers.failures import Refused
from orders.redirecting import NotRedirectable, address_of, redirect, redirectable
from orders.shipping import booking
from tests.making import ADDRESS, at_once, kinds, last_detail, ledger, place_order, stock, unlocked

pytestmark = pytest.mark.django_db(transaction=True)

ELSEWHERE = Address("Ada Lovelace", "1 New Street", "Flat 2", "Leeds", "LS1 1AA", "GB")


def paid(**address: str) -> Order:
    stock(KETTLE=100)
    order = place_order()
    Order.objects.filter(pk=order.pk).update(**address)
    inventory.reserve([order.pk])
    charging.charge([order.pk])
    order.refresh_from_db()
    return order


def keys(order: Order) -> list[str]:
    """The keys of the carrier's bookings for this order, without the row's own."""
    row = str(Shipment.objects.get(order=order).key)
    booked = [entry["key"] for entry in ledger("carrier") if (entry["key"] or "").startswith(row)]
    return [key.removeprefix(row) for key in booked]


def test_a_refusal_is_written_down_with_its_reason() -> None:
    order = paid(city=" ")
    [failure] = booking.book([order.pk]).failed
    assert isinstance(failure.error, Refused)
    shipment = Shipment.objects.get()
    assert (shipment.status, shipment.refusals, shipment.failures) == ("refused", 1, 1)
    assert "city must be a text" in shipment.reason
    assert keys(order) == []


def test_what_was_refused_is_booked_under_a_key_of_its_own_once_its_address_is_right() -> None:
    order = paid(city=" ")
    for _ in range(2):
        booking.book([order.pk])
    assert redirect(order.pk, ELSEWHERE)
    assert booking.book([order.pk]).failed == []
    assert keys(order) == ["-shipment-2"]
    assert Shipment.objects.get().status == Shipment.Status.BOOKED
    assert kinds(order)[-2:] == ["order.redirected", "order.shipped"]


def test_a_refusal_does_not_hide_what_an_earlier_call_has_booked() -> None:
    """The first call booked it, and its answer was lost; then the same key came with something else: refused."""
    order = paid()
    booking.book([order.pk])
    Shipment.objects.update(status="requested", tracking_number="")
    Order.objects.filter(pk=order.pk).update(city="Leeds")
    assert booking.book([order.pk]).failed == []
    assert keys(order) == ["-shipment"]
    assert Shipment.objects.get().tracking_number.startswith("PS")


def test_workers_at_once_ask_again_and_book_once() -> None:
    order = paid(city=" ")
    booking.book([order.pk])
    redirect(order.pk, ELSEWHERE)
    at_once(lambda _: booking.book([order.pk]), 4)
    assert len(keys(order)) == 1
    assert kinds(order).count("order.shipped") == 1


def test_the_address_of_an_order_without_a_parcel_is_corrected_and_the_log_has_both() -> None:
    order = paid()
    assert redirect(order.pk, ELSEWHERE)
    order = Order.objects.get(pk=order.pk)
    assert address_of(order) == ELSEWHERE
    assert (order.city, order.line1) == (ADDRESS.city, ADDRESS.line1)  # what the invoice says
    assert last_detail(order) == (
        "From Ada Lovelace, 12 St James's Square, London, SW1Y 4JH, GB "
        "to Ada Lovelace, 1 New Street, Flat 2, Leeds, LS1 1AA, GB"
    )
    booking.book([order.pk])
    [sent] = [entry for entry in ledger("carrier") if str(order.shipment.key) in (entry["key"] or "")]
    assert sent["to"] == "LS1 1AA"


def test_correcting_it_twice_is_once_and_back_is_possible() -> None:
    order = paid()
    assert redirect(order.pk, ELSEWHERE)
    assert not redirect(order.pk, ELSEWHERE)
    assert redirect(order.pk, ADDRESS)
    assert kinds(order).count("order.redirected") == 2
    assert address_of(Order.objects.get(pk=order.pk)) == ADDRESS


def test_the_longest_addresses_fit_into_the_log() -> None:
    order = paid()
    longest = {"name": 120, "line1": 200, "line2": 200, "city": 100, "postcode": 20}
    redirect(order.pk, Address(**{name: "x" * length for name, length in longest.items()}, country="GB"))
    assert redirect(order.pk, ELSEWHERE)
    assert last_detail(order).endswith("Leeds, LS1 1AA, GB")


@pytest.mark.parametrize(
    ("status", "parcel", "words"),
    [
        ("paid", "booked", "The carrier has the parcel"),
        ("paid", "requested", "has not answered, so it may have it"),
        ("completed", "booked", "is completed"),
        ("cancelled", "refused", "is cancelled"),
        ("out_of_stock", "", "is out of stock"),
    ],
)
def test_where_there_is_or_was_a_parcel_the_address_stays(status: str, parcel: str, words: str) -> None:
    order = place_order()
    Order.objects.filter(pk=order.pk).update(status=status)
    if parcel:
        Shipment.objects.create(order=order, status=parcel)
    order = Order.objects.get(pk=order.pk)
    assert not redirectable(order)
    with pytest.raises(NotRedirectable, match=words):
        redirect(order.pk, ELSEWHERE)
    assert not OrderEvent.objects.filter(kind="order.redirected").exists()


def _goes_where_the_log_says() -> bool:
    """Whether it does when the desk corrects the address at the moment in which the parcel is asked for."""
    order = paid()
    at_once(lambda number: redirect(order.pk, ELSEWHERE) if number else booking.book([order.pk]), 2)
    [to] = [entry["to"] for entry in ledger("carrier") if str(order.shipment.key) in (entry["key"] or "")]
    return bool(to == (ELSEWHERE if "order.redirected" in kinds(order) else ADDRESS).postcode)


def test_a_parcel_goes_where_the_log_says_also_when_both_come_at_once() -> None:
    assert all(_goes_where_the_log_says() for _ in range(10))


def test_without_the_orders_lock_it_would_not(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(locking, "_LOCK_ORDERS", unlocked(locking._LOCK_ORDERS))
    assert not all(_goes_where_the_log_says() for _ in range(60))


def test_an_invoiced_order_keeps_its_own_address_and_its_slip_has_the_new_one() -> None:
    order = paid()
    issuing.issue([order.pk])
    assert redirect(order.pk, ELSEWHERE)
    [document] = printing.with_rows(Document.objects.filter(order=order))
    assert ADDRESS.line1 in content_of(document, *printing.figures_of(document)).buyer
    rows = sql.rows(slips.RECIPE.rows, {"orders": [order.pk], "since": None, "until": None})
    assert [row[1:7] for row in rows] == [astuple(ELSEWHERE)]
