"""Reports of the payment provider and the reconciler's findings in the admin: read, narrowed, and never edited."""

import re

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from orders.models import Finding, ProviderEvent, Reversal
from tests.making import place_order, stock

pytestmark = pytest.mark.django_db
EVENTS, FINDINGS = "/admin/orders/providerevent/", "/admin/orders/finding/"
REVERSALS = "/admin/orders/reversal/"


def shown(operator: Client, path: str, **query: str) -> set[str]:
    """The charges that a list shows."""
    response = operator.get(path, query)
    assert response.status_code == 200
    return set(re.findall(r"pi_\w+", response.content.decode()))


@pytest.fixture
def events() -> list[ProviderEvent]:
    """One applied, one that waits, one about no order of ours."""
    stock(KETTLE=1)
    order = place_order()
    return ProviderEvent.objects.bulk_create(
        ProviderEvent(
            gateway="sandbox",
            event_id=f"evt_{name}",
            kind="charge.refunded",
            reference=f"pi_{name}",
            order=None if name == "nobody" else order,
            body="{}",
            applied_at=timezone.now() if name == "applied" else None,
        )
        for name in ("applied", "waiting", "nobody")
    )


def test_reports_are_narrowed_to_those_that_wait(operator: Client, events: list[ProviderEvent]) -> None:
    assert shown(operator, EVENTS) == {"pi_applied", "pi_waiting", "pi_nobody"}
    assert shown(operator, EVENTS, applied="no") == {"pi_waiting", "pi_nobody"}
    assert shown(operator, EVENTS, applied="nobody") == {"pi_nobody"}
    assert shown(operator, EVENTS, applied="yes") == {"pi_applied"}


def test_reports_are_found_by_what_a_person_has_at_hand(
    operator: Client, events: list[ProviderEvent]
) -> None:
    assert events[0].order
    assert shown(operator, EVENTS, q=events[0].order.number) == {"pi_applied", "pi_waiting"}
    assert shown(operator, EVENTS, q="evt_nobody") == {"pi_nobody"}
    assert shown(operator, EVENTS, q="pi_waiting") == {"pi_waiting"}


def test_findings_are_shown_with_both_sides(operator: Client) -> None:
    for reference, resolved in (("pi_open", None), ("pi_done", timezone.now())):
        Finding.objects.create(
            gateway="sandbox",
            kind=Finding.Kind.UNKNOWN_CHARGE,
            reference=reference,
            currency="GBP",
            ours_minor=0,
            theirs_minor=500,
            detail=f"£5.00 are captured for no order of ours ({reference}).",
            resolved_at=resolved,
        )
    assert shown(operator, FINDINGS, open="yes") == {"pi_open"}
    assert shown(operator, FINDINGS, open="no") == {"pi_done"}
    page = operator.get(FINDINGS).content.decode()
    assert "Captured without an order" in page
    assert "£5.00" in page


def found() -> Finding:
    return Finding.objects.create(
        gateway="sandbox",
        kind=Finding.Kind.SECOND_CHARGE,
        reference="pi_1",
        currency="GBP",
        ours_minor=0,
        theirs_minor=500,
        detail="£5.00 are captured for order S-100001 once more.",
    )


def test_a_finding_is_closed_by_whoever_has_settled_it_and_says_how(operator: Client) -> None:
    finding = found()
    address = reverse("admin:orders_finding_close", args=[finding.pk])
    assert address in operator.get(FINDINGS).content.decode()
    page = operator.get(address).content.decode()
    assert "£5.00 are captured" in page
    assert "only if one of the amounts changes" in page
    assert "This field is required" in operator.post(address, {"why": " "}).content.decode()

    answer = operator.post(address, {"why": "It is our other shop's."}, follow=True).content.decode()
    assert "is closed" in answer
    finding.refresh_from_db()
    assert finding.resolved_at
    assert (finding.closed_by, finding.resolution) == ("admin", "Closed by admin: It is our other shop's.")
    assert "It is our other shop" in operator.get(FINDINGS).content.decode()
    assert "closed already" in operator.post(address, {"why": "Again."}, follow=True).content.decode()


def test_who_may_only_look_closes_no_finding(onlooker: Client) -> None:
    finding = found()
    address = reverse("admin:orders_finding_close", args=[finding.pk])
    assert onlooker.post(address, {"why": "I say so."}).status_code == 403
    finding.refresh_from_db()
    assert finding.resolved_at is None


def test_disputes_are_listed_and_stand_on_their_orders_page(operator: Client) -> None:
    stock(KETTLE=1)
    order = place_order()
    for reference, status in (("dp_open", "open"), ("dp_won", "won")):
        Reversal.objects.create(
            order=order, kind=Reversal.Kind.DISPUTE, reference=reference, amount_minor=500, status=status
        )
    listed = operator.get(REVERSALS).content.decode()
    assert "The bank holds the money" in listed
    assert order.number in listed
    undecided = operator.get(REVERSALS, {"decided": "no"}).content.decode()
    assert ("dp_open" in undecided, "dp_won" in undecided) == (True, False)
    page = operator.get(reverse("admin:orders_order_change", args=[order.pk])).content.decode()
    assert "£5.00: the bank holds the money (dp_open)" in page
    assert "dp_won" not in page


def test_neither_is_edited(operator: Client, events: list[ProviderEvent]) -> None:
    page = f"{EVENTS}{events[0].pk}/change/"
    assert operator.get(page).status_code == 200
    assert operator.post(page, {"kind": "x"}).status_code == 403
    assert operator.post(f"{EVENTS}{events[0].pk}/delete/", {"post": "yes"}).status_code == 403
    assert operator.get(f"{EVENTS}add/").status_code == 403


def test_an_order_says_what_was_found_about_it(operator: Client) -> None:
    stock(KETTLE=1)
    order = place_order()
    Finding.objects.create(
        gateway="sandbox",
        kind=Finding.Kind.REFUND_UNKNOWN,
        reference="pi_1",
        order=order,
        currency="GBP",
        ours_minor=0,
        theirs_minor=100,
        detail="It was made there by hand.",
    )
    page = reverse("admin:orders_order_change", args=[order.pk])
    assert "It was made there by hand." in operator.get(page).content.decode()
    Finding.objects.update(resolved_at=timezone.now())
    assert "It was made there by hand." not in operator.get(page).content.decode()
