"""Comparing a charge with the books: agreement finds nothing, and what is under way is left alone."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from uuid import uuid4

from hypothesis import given
from hypothesis import strategies as st

from orders.models import Finding
from orders.payments import keys
from orders.payments.comparing import SETTLE, UNDER_WAY, Books, Difference, compare
from orders.payments.gateway import Intent, Listed
from orders.states import END_STATES, WITHOUT_GOODS, OrderStatus

NOW = datetime(2026, 11, 21, 3, 0, tzinfo=UTC)
LONG_AGO = NOW - timedelta(days=1)
KEY = uuid4()

money = st.integers(0, 3).map(lambda pounds: pounds * 100)
intents = st.builds(
    lambda status, captured, refunded: Intent(
        "pi_1",
        status,
        captured if status == "captured" else 0,
        min(refunded, captured) if status == "captured" else 0,
    ),
    st.sampled_from(["captured", "authorised", "requires_action", "declined", "voided"]),
    money,
    money,
)
charges = st.builds(
    Listed, intents, st.just("GBP"), st.just(LONG_AGO), st.sampled_from([None, keys.key(KEY, "charge"), "x"])
)
books = st.builds(
    lambda status, scheduled, ended, reference, captured, refunded: Books(
        1, status, scheduled, ended, "GBP", KEY, reference, captured, min(refunded, captured), 0, LONG_AGO
    ),
    st.sampled_from(OrderStatus),
    st.booleans(),
    st.booleans(),
    st.sampled_from(["", "pi_1", "pi_2"]),
    money,
    money,
)


def settled(status: OrderStatus, captured: int, refunded: int) -> Books:
    return Books(1, status, False, True, "GBP", KEY, "pi_1", captured, refunded, 0, LONG_AGO)


@given(charges, books)
def test_what_is_scheduled_or_young_is_left_alone(charge: Listed, ours: Books) -> None:
    assert compare(charge, replace(ours, scheduled=True), NOW) == UNDER_WAY
    assert compare(charge, replace(ours, changed_at=NOW - SETTLE / 2), NOW) == UNDER_WAY
    assert compare(replace(charge, created_at=NOW - SETTLE / 2), ours, NOW) == UNDER_WAY
    assert compare(replace(charge, created_at=NOW - SETTLE / 2), None, NOW) == UNDER_WAY


@given(intents, st.sampled_from(sorted(END_STATES)))
def test_silence_means_that_both_say_the_same(intent: Intent, status: OrderStatus) -> None:
    charge = Listed(intent, "GBP", LONG_AGO, None)
    if compare(charge, settled(status, intent.captured_minor, intent.refunded_minor), NOW) is None and (
        status in WITHOUT_GOODS
    ):
        assert intent.captured_minor == intent.refunded_minor
        assert intent.status not in ("authorised", "requires_action")


@given(charges, books)
def test_a_difference_of_a_penny_is_found(charge: Listed, ours: Books) -> None:
    ours = replace(ours, scheduled=False, reference="pi_1")
    same = (ours.captured_minor, ours.refunded_minor) == (
        charge.intent.captured_minor,
        charge.intent.refunded_minor,
    )
    found = compare(charge, ours, NOW)
    if not same and ours.status not in WITHOUT_GOODS:
        assert isinstance(found, Difference)
    if found is None and ours.status not in WITHOUT_GOODS:
        assert same


@given(charges, books)
def test_only_an_order_that_has_ended_is_mended(charge: Listed, ours: Books) -> None:
    """One that ended without goods gives back what is held, and any takes over what was given back."""
    found = compare(charge, ours, NOW)
    if isinstance(found, Difference) and found.mends:
        assert ours.ended
        if found.kind == Finding.Kind.REFUND_UNKNOWN:
            assert ours.refunded_minor < min(ours.captured_minor, charge.intent.refunded_minor)
        else:
            assert ours.status in WITHOUT_GOODS
            assert found.kind in (Finding.Kind.CHARGE_HELD, Finding.Kind.REFUND_MISSING)


@given(money, money, money)
def test_what_went_back_by_a_dispute_is_given_back(captured: int, refunded: int, disputed: int) -> None:
    """A provider does not count it among its refunds."""
    refunded = min(refunded, captured)
    disputed = min(disputed, captured - refunded)
    charge = Listed(Intent("pi_1", "captured", captured, refunded), "GBP", LONG_AGO, None)
    ours = replace(settled(OrderStatus.COMPLETED, captured, refunded + disputed), disputed_minor=disputed)
    assert compare(charge, ours, NOW) is None
    assert isinstance(compare(charge, replace(ours, disputed_minor=disputed + 1), NOW), Difference)


@given(intents, st.sampled_from(["100017", "s100017", "S-0100017", "W-17", ""]))
def test_charges_that_are_not_marked_as_ours_are_not_ours(intent: Intent, order_number: str) -> None:
    charge = Listed(intent, "GBP", LONG_AGO, key="somebody-elses", order_number=order_number)
    assert compare(charge, None, NOW) is None


@given(intents)
def test_money_that_nobody_ordered_is_found_until_it_is_given_back(intent: Intent) -> None:
    found = compare(Listed(intent, "GBP", LONG_AGO, None), None, NOW)
    assert isinstance(found, Difference) == (intent.captured_minor > intent.refunded_minor)
