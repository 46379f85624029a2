"""The reconciler against the real provider: what it mends, raises, leaves alone, and what resolves itself."""

import json
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import datetime, timedelta
from io import StringIO
from uuid import uuid4

import pytest
from django.core.management import call_command
from django.utils import timezone

from orders import closing
from orders.models import Finding, Order, Payment, Refund
from orders.payments import comparing, reconciling, refunding
from orders.payments.gateway import Listed
from orders.payments.reconciling import Report, reconcile
from orders.payments.sandbox import SandboxGateway
from orders.providers.failures import Transient
from orders.providers.http import client
from orders.refunds import refund
from orders.states import OrderStatus
from tests.integration.audit.conftest import ask, charge, corrupt, tell
from tests.integration.orders.test_refunds import completed
from tests.making import kinds, place_order
from tests.servers import Servers

pytestmark = pytest.mark.django_db(transaction=True)
Kind = Finding.Kind


class FromNow(SandboxGateway):
    """The sandbox's provider without what it charged before this test: it remembers them all."""

    def __init__(self) -> None:
        super().__init__()
        self.before: set[str] = set()
        self.before = {listed.intent.reference for listed in client().run(self._all())}

    async def _all(self) -> list[Listed]:
        return [listed async for listed in super().list(timezone.now() - timedelta(days=1))]

    async def list(self, since: datetime) -> AsyncIterator[Listed]:
        async for listed in super().list(since):
            if listed.intent.reference not in self.before:
                yield listed


@pytest.fixture(autouse=True)
def provider(monkeypatch: pytest.MonkeyPatch) -> None:
    """What happened a moment ago has settled; the provider's clock counts whole seconds."""
    monkeypatch.setattr(comparing, "SETTLE", timedelta(seconds=-2))
    fresh = FromNow()
    monkeypatch.setattr(reconciling, "gateway", lambda: fresh)


def look() -> Report:
    return reconcile(timezone.now() - timedelta(hours=1))


def kinds_found(report: Report) -> list[Kind]:
    return [Kind(finding.kind) for finding in report.raised]


def ended(order: Order, status: OrderStatus, payment: str, captured: int, refunded: int) -> None:
    """What our books say of it, whatever is so."""
    corrupt(
        "UPDATE orders_order SET status = %s, due_at = NULL, ended_at = now() WHERE id = %s",
        status.value,
        order.pk,
    )
    corrupt(
        "UPDATE orders_payment SET status = %s, captured_minor = %s, refunded_minor = %s WHERE order_id = %s",
        payment,
        captured,
        refunded,
        order.pk,
    )


def test_a_shop_whose_books_are_right_has_nothing_to_find() -> None:
    completed()
    partly = completed()
    line = partly.lines.get(sku="KETTLE")
    refund(partly.pk, {line.pk: 1}, key="part", reason="", by="ada", restock=False)
    whole = completed()
    refund(whole.pk, None, key="whole", reason="", by="ada", restock=False)
    for order in (partly, whole):
        refunding.refund([order.pk])
        tell([order.pk])
        closing.close([order.pk])
    report = look()
    assert (report.charges, report.payments) == (3, 3)
    assert (report.mended, report.raised, report.resolved) == ([], [], [])


def test_captured_without_an_order_is_raised_and_resolves_itself_when_it_is_refunded() -> None:
    charge("S-999999999", "foreign-charge", 500)
    report = look()
    assert kinds_found(report) == [Kind.UNKNOWN_CHARGE]
    [finding] = report.raised
    assert (finding.theirs_minor, finding.order) == (500, None)
    assert "£5.00 are captured for no order of ours" in finding.detail

    assert look().raised == [finding]
    finding.refresh_from_db()
    assert finding.times == 2

    ask("payments", "/v1/refunds", "by-hand", {"payment_intent": finding.reference})
    report = look()
    assert report.raised == []
    assert report.resolved
    finding.refresh_from_db()
    assert finding.resolution == "Both agree again."


@pytest.mark.parametrize("named", ["{0}", "s{0}", "S{0}", "S-0{0}", "W-{0}", "", "order {0}"])
def test_charges_of_others_on_the_same_account_are_none_of_ours(named: str) -> None:
    """Whatever they call their orders, and though a person would find our order by that number."""
    order = completed()
    charge(named.format(order.number.removeprefix("S-")), f"somebody-elses-{uuid4()}", 500)
    report = look()
    assert (report.charges, report.mended, report.raised) == (2, [], [])


def test_a_charge_under_a_key_of_ours_is_ours_whatever_it_is_called() -> None:
    """A shop like this one made it, so somebody must know."""
    body = {
        "amount": 500,
        "currency": "gbp",
        "payment_method": "pm_card_visa",
        "metadata": {"order": "", "key": f"{uuid4()}-charge"},
    }
    ask("payments", "/v1/payment_intents", f"ours-{uuid4()}", body)
    assert kinds_found(look()) == [Kind.UNKNOWN_CHARGE]


def test_what_a_person_has_closed_stays_closed_until_an_amount_changes() -> None:
    """A second shop of ours on the same account, whose orders have the same numbers."""
    order = completed()
    charge(order.number, f"{uuid4()}-of-the-other-shop", 6_250)
    [finding] = look().raised
    Finding.objects.update(
        resolved_at=timezone.now(), closed_by="ada", resolution="Closed by ada: the other shop's"
    )
    assert look().raised == []
    assert Finding.objects.get() == finding
    ask("payments", "/v1/refunds", "", {"payment_intent": finding.reference, "amount": 1_000})
    [changed] = look().raised
    assert (changed.kind, changed.theirs_minor) == (Kind.SECOND_CHARGE, 5_250)


def test_a_second_charge_for_an_order_is_raised() -> None:
    order = completed()
    charge(order.number, f"{order.payment.key}-again", 6_250)
    [finding] = look().raised
    assert (finding.kind, finding.order, finding.theirs_minor) == (Kind.SECOND_CHARGE, order, 6_250)


def test_an_order_without_its_capture_is_raised() -> None:
    order = completed()
    corrupt("UPDATE orders_payment SET reference = 'pi_never' WHERE order_id = %s", order.pk)
    assert sorted(kinds_found(look())) == [Kind.CAPTURE_MISSING, Kind.SECOND_CHARGE]

    corrupt("UPDATE orders_payment SET reference = '' , captured_minor = 0 WHERE order_id = %s", order.pk)
    assert Kind.AMOUNT_DIFFERS in kinds_found(look())


def test_a_capture_that_the_provider_never_made_is_raised() -> None:
    order = place_order()
    ended(order, OrderStatus.COMPLETED, "captured", 1_250, 0)
    [finding] = look().raised
    assert (finding.kind, finding.ours_minor, finding.theirs_minor) == (Kind.CAPTURE_MISSING, 1_250, 0)


@pytest.mark.parametrize(
    ("payment", "captured", "refunded"),
    [("voided", 0, 0), ("declined", 0, 0), ("refunded", 6_250, 6_250)],
    ids=["given up", "declined", "refund missing"],
)
def test_money_of_an_order_that_ended_without_is_given_back(
    payment: str, captured: int, refunded: int
) -> None:
    order = completed()
    ended(order, OrderStatus.CANCELLED, payment, captured, refunded)
    report = look()
    assert len(report.mended) == 1
    assert report.raised == []
    order.refresh_from_db()
    assert order.due_at
    assert kinds(order)[-1] == "order.replayed"

    assert refunding.refund([order.pk]).done == [order.pk]
    mended = Payment.objects.get(order=order)
    assert (mended.status, mended.captured_minor, mended.refunded_minor) == ("refunded", 6_250, 6_250)
    corrupt("UPDATE orders_order SET due_at = NULL WHERE id = %s", order.pk)
    assert look().mended == []


def test_a_charge_that_we_gave_up_before_we_knew_its_name_is_given_back() -> None:
    order = completed()
    ended(order, OrderStatus.CANCELLED, "voided", 0, 0)
    corrupt("UPDATE orders_payment SET reference = '' WHERE order_id = %s", order.pk)
    assert len(look().mended) == 1
    assert refunding.refund([order.pk]).done == [order.pk]


def test_one_that_waits_for_a_person_is_left_to_that_person() -> None:
    order = completed()
    ended(order, OrderStatus.CANCELLED, "captured", 6_250, 0)
    corrupt("UPDATE orders_order SET ended_at = NULL WHERE id = %s", order.pk)
    report = look()
    assert report.mended == []
    assert kinds_found(report) == [Kind.CHARGE_HELD]


def test_a_refund_in_part_that_the_provider_does_not_have_is_raised() -> None:
    order = completed()
    corrupt("UPDATE orders_payment SET refunded_minor = 100 WHERE order_id = %s", order.pk)
    [finding] = look().raised
    assert (finding.kind, finding.ours_minor, finding.theirs_minor) == (Kind.REFUND_MISSING, 100, 0)


def test_another_amount_is_raised() -> None:
    order = completed()
    corrupt("UPDATE orders_payment SET captured_minor = 6249 WHERE order_id = %s", order.pk)
    assert kinds_found(look()) == [Kind.AMOUNT_DIFFERS]


def test_what_is_under_way_is_no_difference(monkeypatch: pytest.MonkeyPatch) -> None:
    scheduled, young = completed(), completed()
    for order in (scheduled, young):
        ended(order, OrderStatus.CANCELLED, "voided", 0, 0)
    corrupt("UPDATE orders_order SET due_at = now() WHERE id = %s", scheduled.pk)
    corrupt("UPDATE orders_payment SET updated_at = now() + interval '1 hour' WHERE order_id = %s", young.pk)
    report = look()
    assert (report.mended, report.raised) == ([], [])
    monkeypatch.setattr(comparing, "SETTLE", timedelta(minutes=2))
    charge("S-999999998", "foreign-young-charge", 500)
    assert look().raised == []


def test_a_list_that_cannot_be_read_resolves_nothing(servers: Servers) -> None:
    charge("S-999999999", "foreign-charge-2", 500)
    look()
    servers.kill("payments")
    try:
        with pytest.raises(Transient):
            look()
    finally:
        servers.start("payments")
    assert Finding.objects.get().resolved_at is None


class Stale(FromNow):
    """Its list was read before the last refunds were made."""

    async def list(self, since: datetime) -> AsyncIterator[Listed]:
        async for listed in super().list(since):
            yield replace(listed, intent=replace(listed.intent, refunded_minor=0))


def refunded_while_the_list_was_read() -> None:
    order = completed()
    line = order.lines.get(sku="MUG")
    refund(order.pk, {line.pk: 1}, key="part", reason="", by="ada", restock=False)
    refunding.refund([order.pk])
    closing.close([order.pk])


def test_what_changed_while_the_list_was_read_is_no_difference(monkeypatch: pytest.MonkeyPatch) -> None:
    stale = Stale()
    monkeypatch.setattr(reconciling, "gateway", lambda: stale)
    refunded_while_the_list_was_read()
    assert look().raised == []


def test_without_the_second_reading_it_would_be_one(monkeypatch: pytest.MonkeyPatch) -> None:
    stale = Stale()
    monkeypatch.setattr(reconciling, "gateway", lambda: stale)

    def believe(report: Report, charge: Listed, order_id: int | None) -> None:
        [ours] = reconciling._books([order_id or 0], [])
        difference = comparing.compare(charge, ours, timezone.now())
        assert isinstance(difference, comparing.Difference)
        reconciling._raise(difference)

    monkeypatch.setattr(reconciling, "_make_sure", believe)
    refunded_while_the_list_was_read()
    assert kinds_found(look()) == [Kind.REFUND_MISSING]


def run(*arguments: str) -> tuple[int, str]:
    out = StringIO()
    try:
        call_command("reconcile", *arguments, stdout=out)
    except SystemExit as end:
        return int(end.code or 0), out.getvalue()
    return 0, out.getvalue()


def test_the_command_says_what_it_found_and_what_to_do() -> None:
    completed()
    assert run()[0] == 0
    charge("S-999999999", "foreign-charge-3", 500)
    status, told = run("--since", "1h")
    assert status == 1
    assert "£5.00 are captured for no order of ours. Find out who charged this" in told
    status, told = run("--json")
    assert status == 1
    answer = json.loads(told)
    assert answer["clean"] is False
    assert [finding["kind"] for finding in answer["findings"]] == ["unknown_charge"]
    assert answer["charges"] == 2


def test_a_refund_that_is_still_promised_is_no_difference() -> None:
    order = completed()
    line = order.lines.get(sku="MUG")
    refund(order.pk, {line.pk: 1}, key="part", reason="", by="ada", restock=False)
    assert look().raised == []
    assert Refund.objects.get().status == Refund.Status.REQUESTED
