"""Refunds made by hand at the provider are taken over: a refund of the order with its credit note, never paid again."""

from collections.abc import AsyncIterator
from datetime import datetime

import pytest
from django.db import IntegrityError, transaction

from orders import closing, inventory, locking
from orders.cancelling import cancel
from orders.invoices.figures import credited
from orders.models import Document, Finding, Order, Payment, Refund, RefundLine, Reversal
from orders.notifications import email, sms
from orders.payments import charging, reconciling, refunding, taking_over
from orders.payments.gateway import Listed, Returned
from orders.payments.sandbox import SandboxGateway
from orders.providers.failures import NotNow, Refused
from orders.refunds import NotRefundable
from orders.states import FAILED_STATES, OrderStatus
from tests.integration.audit.conftest import ask as call
from tests.integration.audit.conftest import corrupt
from tests.integration.orders.test_refunds import ask, completed
from tests.integration.payments.test_reconciling import look, provider
from tests.making import at_once, kinds, last_detail, ledger, place_order, stock, unlocked

pytestmark = pytest.mark.django_db(transaction=True)
__all__ = ["provider"]  # the reconciler sees this test's charges alone

LINES = (("KETTLE", 3), ("MUG", 2))  # £62.50 in all


def by_hand(order: Order, amount: int | None = None) -> None:
    """Somebody presses "Refund" in the provider's dashboard."""
    body = {"payment_intent": Payment.objects.get(order=order).reference}
    call("payments", "/v1/refunds", "", body | ({"amount": amount} if amount else {}))


def given_back(order: Order) -> list[int]:
    """All that the provider refunded for this order, whoever asked for it."""
    return [
        entry["amount"]
        for entry in ledger("payments")
        if entry["kind"] == "refunded" and entry["order"] == order.number
    ]


def notes(order: Order) -> list[int]:
    """What the order's credit notes are over."""
    found = Document.objects.filter(order=order, kind=Document.Kind.CREDIT_NOTE).order_by("serial")
    lines, pieces = list(order.lines.all()), list(RefundLine.objects.filter(refund__order=order))
    return [credited(note, lines, pieces).gross for note in found]


def carry(order: Order) -> None:
    """Whatever is left to do for an order that has ended."""
    refunding.refund([order.pk])
    email.mail([order.pk])
    sms.text([order.pk])
    closing.close([order.pk])
    order.refresh_from_db()


def books(order: Order) -> tuple[str, int, int]:
    payment = Payment.objects.get(order=order)
    return payment.status, payment.promised_minor, payment.refunded_minor


def test_a_part_by_hand_is_taken_over_and_the_order_stays_completed() -> None:
    order = completed()
    by_hand(order, 1_250)
    report = look()
    assert (report.raised, len(report.mended)) == ([], 1)
    assert "£12.50 at the provider: it is being taken over" in report.mended[0]

    carry(order)
    [refund] = Refund.objects.all()
    assert (refund.status, refund.amount_minor, refund.whole) == (Refund.Status.MADE, 1_250, False)
    assert refund.requested_by == "the payment provider"
    assert order.status == OrderStatus.COMPLETED
    assert order.ended_at
    assert (books(order), notes(order), given_back(order)) == (("captured", 1_250, 1_250), [1_250], [1_250])
    assert kinds(order)[-1] == "order.partly_refunded"
    assert last_detail(order) == "£12.50: given back at the payment provider"
    report = look()
    assert (report.mended, report.raised) == ([], [])


def test_after_it_the_desk_gives_back_only_what_is_left() -> None:
    order = completed()
    by_hand(order, 1_250)
    look()
    carry(order)
    rest = ask(order)
    assert (rest.amount_minor, rest.whole) == (5_000, True)
    carry(order)
    assert (books(order), notes(order)) == (("refunded", 6_250, 6_250), [1_250, 5_000])
    assert given_back(order) == [1_250, 5_000]
    assert look().raised == []


def test_the_whole_by_hand_ends_the_order_and_tells_the_customer() -> None:
    order = completed()
    by_hand(order)
    look()
    carry(order)
    carry(order)  # the step that took it over was not told that there are messages now
    assert order.status == OrderStatus.REFUNDED
    assert (books(order), notes(order), given_back(order)) == (("refunded", 6_250, 6_250), [6_250], [6_250])
    assert order.notifications.filter(kind="refunded", status="sent").count() == 2
    assert dict(RefundLine.objects.values_list("line__sku", "quantity")) == dict(LINES)
    with pytest.raises(NotRefundable, match="is refunded: only what was sent can be refunded"):
        ask(order)


def test_what_the_desk_promises_meanwhile_is_not_paid_again() -> None:
    """£12.50 by hand, and before anybody hears of it the same £12.50 at the desk."""
    order = completed()
    by_hand(order, 1_250)
    promise = ask(order, {"KETTLE": 1})
    carry(order)
    promise.refresh_from_db()
    assert (promise.status, promise.found_minor) == (Refund.Status.MADE, 1_250)
    assert (books(order), notes(order), given_back(order)) == (("captured", 1_250, 1_250), [1_250], [1_250])
    assert Reversal.objects.get().refund == promise
    assert look().raised == []


def test_the_whole_at_the_desk_after_a_part_by_hand_is_the_rest() -> None:
    order = completed()
    by_hand(order, 500)
    assert ask(order).amount_minor == 6_250
    carry(order)
    assert order.status == OrderStatus.REFUNDED
    assert (books(order), notes(order)) == (("refunded", 6_250, 6_250), [6_250])
    assert given_back(order) == [500, 5_750]
    assert look().raised == []


def test_the_whole_at_the_desk_after_the_whole_by_hand_is_no_dead_letter() -> None:
    order = completed()
    by_hand(order)
    ask(order)
    assert refunding.refund([order.pk]).failed == []
    carry(order)
    assert order.status == OrderStatus.REFUNDED
    assert order.ended_at
    assert (books(order), notes(order), given_back(order)) == (("refunded", 6_250, 6_250), [6_250], [6_250])
    assert order.notifications.filter(kind="refunded", status="sent").count() == 2


def test_parts_that_leave_too_little_for_a_promise_keep_the_rest_of_it() -> None:
    order = completed()
    ask(order, {"KETTLE": 2})
    by_hand(order, 4_500)
    carry(order)
    carry(order)
    assert order.status == OrderStatus.REFUNDED
    assert (books(order), sum(notes(order))) == (("refunded", 6_250, 6_250), 6_250)
    assert given_back(order) == [4_500, 1_750]


class ByHandMeanwhile(SandboxGateway):
    """Somebody refunds by hand just between the reading of the list and our call."""

    def __init__(self, order: Order, amount: int) -> None:
        super().__init__()
        self.order, self.amount = order, amount

    async def refund(self, reference: str, amount_minor: int, *, key: str) -> None:
        if self.amount:
            amount, self.amount = self.amount, 0
            await super().refund(reference, amount, key=f"by-hand-{reference}")
        await super().refund(reference, amount_minor, key=key)


def test_a_refusal_is_looked_into_and_not_buried(monkeypatch: pytest.MonkeyPatch) -> None:
    order = completed()
    meanwhile = ByHandMeanwhile(order, 500)
    monkeypatch.setattr(refunding, "gateway", lambda: meanwhile)
    ask(order)
    [failure] = refunding.refund([order.pk]).failed
    assert isinstance(failure.error, NotNow)
    carry(order)
    assert (books(order), notes(order)) == (("refunded", 6_250, 6_250), [6_250])
    assert given_back(order) == [500, 5_750]


def test_without_the_second_look_it_would_be_buried(monkeypatch: pytest.MonkeyPatch) -> None:
    class Blind(ByHandMeanwhile):
        looks = 0

        async def returns(self, reference: str) -> list[Returned]:
            self.looks += 1
            return []

    order = completed()
    blind = Blind(order, 500)
    monkeypatch.setattr(refunding, "gateway", lambda: blind)
    ask(order)
    [failure] = refunding.refund([order.pk]).failed
    assert type(failure.error) is Refused
    assert blind.looks == 2


def test_a_refusal_for_no_such_reason_stays_one() -> None:
    order = completed()
    ask(order, {"MUG": 1})
    corrupt("UPDATE orders_payment SET reference = 'pi_unknown' WHERE order_id = %s", order.pk)
    [failure] = refunding.refund([order.pk]).failed
    assert type(failure.error) is Refused


def test_a_cancelled_order_gives_back_only_what_is_left() -> None:
    """The operator refunds by hand what a cancellation has not given back yet."""
    stock(KETTLE=10, MUG=10)
    order = place_order(LINES)
    inventory.reserve([order.pk])
    charging.charge([order.pk])
    by_hand(order, 1_250)
    cancel(order.token)
    inventory.release([order.pk])
    carry(order)
    assert order.ended_at
    assert (books(order), given_back(order)) == (("refunded", 0, 6_250), [1_250, 5_000])
    [reversal] = Reversal.objects.all()
    assert (reversal.amount_minor, reversal.refund) == (1_250, None)
    assert look().raised == []
    assert OrderStatus(order.status) in FAILED_STATES


def test_an_order_that_waits_for_a_person_is_taken_over_when_it_has_ended() -> None:
    order = completed()
    by_hand(order, 1_250)
    corrupt("UPDATE orders_order SET ended_at = NULL WHERE id = %s", order.pk)
    [finding] = look().raised
    assert finding.kind == Finding.Kind.REFUND_UNKNOWN
    assert "It is taken over when the order has ended" in finding.detail
    corrupt("UPDATE orders_order SET ended_at = now() WHERE id = %s", order.pk)
    assert len(look().mended) == 1
    carry(order)
    report = look()
    assert (report.raised, len(report.resolved)) == ([], 1)
    finding.refresh_from_db()
    assert finding.resolution == "Both agree again."


class Old(SandboxGateway):
    """Its charges were all made before the window that is compared."""

    async def list(self, _since: datetime) -> AsyncIterator[Listed]:
        nothing: tuple[Listed, ...] = ()
        for listed in nothing:
            yield listed


def test_what_is_given_back_of_an_old_charge_is_found_too(monkeypatch: pytest.MonkeyPatch) -> None:
    order = completed()
    corrupt("UPDATE orders_payment SET updated_at = now() - interval '9 days' WHERE order_id = %s", order.pk)
    by_hand(order, 1_250)
    monkeypatch.setattr(reconciling, "gateway", lambda: Old())
    assert len(look().mended) == 1
    carry(order)
    assert (books(order), notes(order)) == (("captured", 1_250, 1_250), [1_250])


class ToldMeanwhile(SandboxGateway):
    """While its list is on its way to us, somebody refunds by hand, and the report of that arrives."""

    def __init__(self, order: Order) -> None:
        super().__init__()
        self.order, self.told = order, False

    async def returns(self, reference: str) -> list[Returned]:
        found = await super().returns(reference)
        if not self.told:
            self.told = True
            at_once(lambda _: self._tell(), 1)
        return found

    def _tell(self) -> None:
        by_hand(self.order, 500)
        asked_to_look(self.order)


def asked_to_look(order: Order) -> None:
    with transaction.atomic():
        taking_over.look([order.pk])


def test_a_report_that_comes_while_the_list_is_read_is_not_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    order = completed()
    asked_to_look(order)
    told = ToldMeanwhile(order)
    monkeypatch.setattr(refunding, "gateway", lambda: told)
    carry(order)
    assert not Refund.objects.exists()
    assert order.ended_at is None
    carry(order)
    assert (books(order), notes(order)) == (("captured", 500, 500), [500])
    assert order.ended_at


def _many_at_once() -> list[object]:
    """What six workers answer that take over the same refund at the same time."""
    order = completed()
    by_hand(order, 1_250)
    asked_to_look(order)
    answers = at_once(lambda _: refunding.refund([order.pk]), 6)
    assert Refund.objects.filter(order=order).count() == 1
    assert (books(order), notes(order)) == (("captured", 1_250, 1_250), [1_250])
    return list(answers)


def test_many_workers_at_once_take_it_over_once() -> None:
    for _ in range(5):
        assert not any(isinstance(answer, Exception) for answer in _many_at_once())


def test_without_the_orders_lock_they_would_meet(monkeypatch: pytest.MonkeyPatch) -> None:
    """Only the provider's own id, which is unique, would keep them from crediting it twice."""
    monkeypatch.setattr(locking, "_LOCK_ORDERS", unlocked(locking._LOCK_ORDERS))
    assert any(isinstance(answer, IntegrityError) for _ in range(20) for answer in _many_at_once())
