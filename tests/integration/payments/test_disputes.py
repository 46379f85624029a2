"""Disputes stand in our books while they are open, and nothing is paid back meanwhile; lost ones are refunds."""

from typing import Any

import pytest
from django.conf import settings

from orders import inventory
from orders.cancelling import cancel
from orders.models import Finding, Order, Payment, ProviderEvent, Refund, Reversal
from orders.payments import charging, inbox, refunding
from orders.providers.failures import Refused
from orders.providers.http import client, expect
from orders.refunds import NotRefundable, refundable
from orders.states import OrderStatus
from tests.integration.audit.conftest import corrupt
from tests.integration.orders.test_refunds import ask, completed
from tests.integration.payments.test_reconciling import look, provider
from tests.integration.payments.test_taking_over import LINES, books, by_hand, carry, given_back, notes
from tests.integration.webhooks.test_inbox import deliver, is_due, report
from tests.making import kinds, place_order, stock
from workers.audit.books import prove

pytestmark = pytest.mark.django_db(transaction=True)
__all__ = ["provider"]  # the reconciler sees this test's charges alone
Status = Reversal.Status


def post(path: str, body: dict[str, Any]) -> str:
    """Something that happens at the provider without us; returns its id."""
    status, answer = client().run(client().call("POST", settings.PAYMENTS_URL + path, body=body))
    return str(expect(status, answer, path)["id"])


def disputed(order: Order, amount: int | None = None, **more: Any) -> str:
    reference = Payment.objects.get(order=order).reference
    return post("/dashboard/disputes", {"payment_intent": reference, "amount": amount, **more})


def decided(dispute: str, status: str) -> None:
    post(f"/dashboard/disputes/{dispute}", {"status": status})


def tell(order: Order, dispute: str, kind: str = "charge.dispute.created") -> None:
    """The provider's report of it arrives."""
    reference = Payment.objects.get(order=order).reference
    body = report(f"evt_{dispute}_{kind}", id=dispute, payment_intent=reference)
    assert deliver(body.replace(b"payment_intent.succeeded", kind.encode())) == 200


def standing(order: Order) -> list[tuple[str, int]]:
    return list(order.reversals.values_list("status", "amount_minor"))


def test_a_dispute_stands_in_our_books_and_stops_the_desk() -> None:
    order = completed()
    dispute = disputed(order, 2_500)
    tell(order, dispute)
    assert is_due(order)
    carry(order)
    assert standing(order) == [(Status.OPEN, 2_500)]
    assert (order.status, kinds(order)[-1]) == (OrderStatus.COMPLETED, "order.disputed")
    assert (books(order), notes(order)) == (("captured", 0, 0), [])
    with pytest.raises(NotRefundable, match=f"disputes £25.00 of order {order.number} .* would pay twice"):
        refundable(order)
    with pytest.raises(NotRefundable, match="Answer the dispute at the payment provider"):
        ask(order, {"MUG": 1})


def test_a_lost_one_is_money_given_back() -> None:
    order = completed()
    dispute = disputed(order, 2_500)
    tell(order, dispute)
    carry(order)
    decided(dispute, "lost")
    tell(order, dispute, "charge.dispute.closed")
    carry(order)
    assert standing(order) == [(Status.GIVEN_BACK, 2_500)]
    assert (books(order), notes(order)) == (("captured", 2_500, 2_500), [2_500])
    assert given_back(order) == []
    assert look().raised == []
    assert ask(order).amount_minor == 3_750
    carry(order)
    assert (books(order), given_back(order)) == (("refunded", 6_250, 6_250), [3_750])


def test_one_over_the_whole_ends_the_order_when_it_is_lost() -> None:
    order = completed()
    decided(disputed(order), "lost")
    look()
    carry(order)
    carry(order)
    assert order.status == OrderStatus.REFUNDED
    assert (books(order), notes(order), given_back(order)) == (("refunded", 6_250, 6_250), [6_250], [])
    assert order.notifications.filter(kind="refunded", status="sent").count() == 2
    assert (look().raised, look().mended) == ([], [])


def test_a_won_one_changes_nothing() -> None:
    order = completed()
    dispute = disputed(order)
    look()
    carry(order)
    decided(dispute, "won")
    report = look()
    assert len(report.mended) == 1
    carry(order)
    assert standing(order) == [(Status.WON, 6_250)]
    assert (books(order), notes(order)) == (("captured", 0, 0), [])
    assert kinds(order)[-1] == "order.dispute_won"
    assert ask(order, {"MUG": 1}).amount_minor == 1_250
    carry(order)
    assert given_back(order) == [1_250]


def test_what_the_bank_only_asks_about_can_still_be_refunded() -> None:
    """To refund is the merchant's way to answer such a question."""
    order = completed()
    dispute = disputed(order, inquiry=True)
    look()
    carry(order)
    assert standing(order) == [(Status.ASKED, 6_250)]
    ask(order, {"MUG": 1})
    carry(order)
    assert given_back(order) == [1_250]
    decided(dispute, "warning_closed")
    look()
    carry(order)
    assert standing(order) == [(Status.WON, 6_250)]


def test_a_promise_made_before_the_dispute_was_heard_of_is_not_paid() -> None:
    order = completed()
    dispute = disputed(order, 1_250)
    ask(order, {"MUG": 1})
    [failure] = refunding.refund([order.pk]).failed
    assert type(failure.error) is Refused
    assert "would pay twice" in str(failure.error)
    assert given_back(order) == []

    decided(dispute, "lost")
    carry(order)
    assert Refund.objects.get().status == Refund.Status.MADE
    assert (books(order), notes(order), given_back(order)) == (("captured", 1_250, 1_250), [1_250], [])


def test_a_promise_is_paid_after_all_when_the_dispute_is_won() -> None:
    order = completed()
    dispute = disputed(order, 1_250)
    ask(order, {"MUG": 1})
    refunding.refund([order.pk])
    decided(dispute, "won")
    carry(order)
    assert given_back(order) == [1_250]


def test_a_cancelled_order_that_is_disputed_gives_nothing_back_until_it_is_decided() -> None:
    stock(KETTLE=10, MUG=10)
    order = place_order(LINES)
    inventory.reserve([order.pk])
    charging.charge([order.pk])
    dispute = disputed(order)
    cancel(order.token)
    [failure] = refunding.refund([order.pk]).failed
    assert type(failure.error) is Refused
    decided(dispute, "lost")
    inventory.release([order.pk])
    carry(order)
    assert order.ended_at
    assert (books(order), given_back(order)) == (("refunded", 0, 6_250), [])


def test_a_dispute_after_a_refund_by_hand_leaves_both_in_the_books() -> None:
    order = completed()
    by_hand(order, 1_250)
    decided(disputed(order, 2_500), "lost")
    look()
    carry(order)
    assert sorted(notes(order)) == [1_250, 2_500]
    assert books(order) == ("captured", 3_750, 3_750)


def test_a_report_about_an_order_that_has_not_ended_waits_for_its_end() -> None:
    order = completed()
    dispute = disputed(order)
    corrupt("UPDATE orders_order SET status = 'paid', ended_at = NULL WHERE id = %s", order.pk)
    tell(order, dispute)
    assert ProviderEvent.objects.get().applied_at is None
    corrupt("UPDATE orders_order SET status = 'completed', ended_at = now() WHERE id = %s", order.pk)
    assert inbox.sweep() == 1
    carry(order)
    assert standing(order) == [(Status.OPEN, 6_250)]


def test_one_of_an_order_that_waits_for_a_person_is_a_finding_until_it_is_taken_over() -> None:
    order = completed()
    disputed(order)
    corrupt("UPDATE orders_order SET ended_at = NULL WHERE id = %s", order.pk)
    [finding] = look().raised
    assert (finding.kind, finding.order) == (Finding.Kind.DISPUTED, order)
    assert "£62.50 are disputed" in finding.detail
    corrupt("UPDATE orders_order SET ended_at = now() WHERE id = %s", order.pk)
    assert len(look().mended) == 1
    carry(order)
    assert look().raised == []
    assert standing(order) == [(Status.OPEN, 6_250)]


def test_the_books_are_right_at_every_stage() -> None:
    order = completed()

    def wrong() -> list[str]:
        return [problem for one in prove().results for problem in one.problems if order.number in problem]

    dispute = disputed(order, 2_500)
    assert wrong() == [
        f"Order {order.number} was disputed for £25.00 at the payment provider ({dispute}), "
        "which our books do not have."
    ]
    look()
    carry(order)
    assert wrong() == []
    decided(dispute, "lost")
    assert any("is refunded £0.00 in our books, and £25.00 at the payment provider" in one for one in wrong())
    look()
    carry(order)
    assert wrong() == []
