"""Money given back another way, beside what the provider gave back without us: nothing twice, and nothing lost."""

from collections.abc import Callable

import pytest
from django.db import transaction

from orders import inventory, scheduling
from orders.cancelling import cancel
from orders.models import Finding, Order, Payment, Refund
from orders.payments import charging, refunding, taking_over
from orders.payments.sandbox import SandboxGateway
from orders.providers.failures import Refused
from orders.settling import NotSettleable, owed, settle
from orders.states import OrderStatus
from tests.integration.orders.test_refunds import ask, completed
from tests.integration.payments.test_disputes import decided, disputed, tell
from tests.integration.payments.test_reconciling import look, provider
from tests.integration.payments.test_taking_over import LINES, books, by_hand, carry, given_back, notes
from tests.making import place_order, stock
from workers.audit.books import prove

pytestmark = pytest.mark.django_db(transaction=True)
__all__ = ["provider"]  # the reconciler sees this test's charges alone


def stuck(order: Order) -> Order:
    """Its refund was refused for good, and a person was told."""
    scheduling.set_aside([order.pk], "payment.refund: the account is closed")
    order.refresh_from_db()
    return order


def cancelled() -> Order:
    stock(KETTLE=10, MUG=10)
    order = place_order(LINES)
    inventory.reserve([order.pk])
    charging.charge([order.pk])
    cancel(order.token)
    return order


def outside(order: Order) -> int:
    return Payment.objects.get(order=order).outside_minor


def lost(order: Order, amount: int) -> None:
    """The bank has taken it back."""
    decided(disputed(order, amount), "lost")


class Refusing(SandboxGateway):
    async def refund(self, reference: str, amount_minor: int, *, key: str) -> None:
        raise Refused(f"{reference}: the account is closed")


def refused(order: Order, monkeypatch: pytest.MonkeyPatch) -> None:
    """The provider is asked, its list is taken over, and it refuses what is left."""
    with monkeypatch.context() as patched:
        refusing = Refusing()
        patched.setattr(refunding, "gateway", lambda: refusing)
        [failure] = refunding.refund([order.pk]).failed
    assert type(failure.error) is Refused
    stuck(order)


def agreed(order: Order) -> None:
    """Our books, and the provider's list."""
    assert wrong(order) == []
    report = look()
    assert (report.raised, report.mended) == ([], [])


def wrong(order: Order) -> list[str]:
    return [problem for one in prove().results for problem in one.problems if order.number in problem]


def test_while_the_bank_holds_the_money_nothing_is_settled() -> None:
    order = completed()
    dispute = disputed(order, 1_250)
    ask(order, {"MUG": 1})
    carry(order)
    stuck(order)
    with pytest.raises(
        NotSettleable, match=f"disputes £12.50 of order {order.number} .* paid twice if the dispute"
    ):
        settle(order.pk)
    assert (outside(order), books(order)) == (0, ("captured", 1_250, 0))

    decided(dispute, "won")
    carry(order)
    assert given_back(order) == [1_250]


def test_nor_while_a_report_waits_to_be_taken_over() -> None:
    """The person who settles it may not have heard of the dispute yet."""
    order = completed()
    ask(order, {"MUG": 1})
    stuck(order)
    dispute = disputed(order, 1_250)
    tell(order, dispute)
    with pytest.raises(NotSettleable, match=f"reported a refund or a dispute of order {order.number}"):
        settle(order.pk)
    decided(dispute, "lost")
    carry(order)  # it is replayed
    assert Refund.objects.get().status == Refund.Status.MADE
    assert (outside(order), notes(order), given_back(order)) == (0, [1_250], [])


def test_what_the_provider_reported_and_does_not_know_is_set_aside_by_a_person() -> None:
    """After a change of the shop's account it knows nothing of the charge, so no replay can end this."""
    order = completed()
    scheduling.close([order.pk])
    with transaction.atomic():
        assert taking_over.look([order.pk]) == [order.pk]
    stuck(order)
    with pytest.raises(NotSettleable, match="say here if it shows neither"):
        settle(order.pk)
    assert settle(order.pk, provider_shows_nothing=True) == 0
    assert order.events.last().detail == "what the provider reported is set aside"  # type: ignore[union-attr]
    carry(order)
    assert (order.status, order.ended_at is None) == (OrderStatus.COMPLETED, False)
    assert (outside(order), books(order)) == (0, ("captured", 0, 0))
    agreed(order)


def test_and_what_is_owed_besides_counts_as_given_back() -> None:
    order = completed()
    scheduling.close([order.pk])
    ask(order, {"MUG": 1})
    with transaction.atomic():
        taking_over.look([order.pk])
    stuck(order)
    assert settle(order.pk, provider_shows_nothing=True) == 1_250
    carry(order)
    assert (outside(order), books(order), notes(order)) == (1_250, ("captured", 1_250, 0), [1_250])
    agreed(order)


def test_a_dispute_is_never_set_aside() -> None:
    order = completed()
    scheduling.close([order.pk])
    tell(order, disputed(order, 1_250))
    carry(order)
    with transaction.atomic():
        taking_over.look([order.pk])
    stuck(order)
    with pytest.raises(NotSettleable, match="bank disputes"):
        settle(order.pk, provider_shows_nothing=True)


def test_after_a_won_one_it_can_be_settled() -> None:
    order = completed()
    decided(disputed(order, 1_250), "won")
    look()
    carry(order)
    ask(order, {"MUG": 1})
    stuck(order)
    assert settle(order.pk) == 1_250
    carry(order)
    assert (outside(order), books(order), given_back(order)) == (1_250, ("captured", 1_250, 0), [])
    assert wrong(order) == []


def test_of_a_promise_only_what_was_not_found_is_owed(monkeypatch: pytest.MonkeyPatch) -> None:
    order = completed()
    ask(order, {"KETTLE": 2})  # £25.00, which leaves £37.50
    by_hand(order, 4_500)
    refused(order, monkeypatch)
    assert owed(order) == 1_750
    assert settle(order.pk) == 1_750
    carry(order)
    assert (order.status, order.ended_at is None) == (OrderStatus.REFUNDED, False)
    assert (outside(order), books(order), sum(notes(order))) == (1_750, ("refunded", 6_250, 4_500), 6_250)
    assert given_back(order) == [4_500]
    agreed(order)


@pytest.mark.parametrize("how", [by_hand, lost])
def test_of_a_cancelled_order_only_what_is_not_gone_is_owed(
    how: Callable[[Order, int], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    order = cancelled()
    how(order, 2_500)
    refused(order, monkeypatch)
    assert owed(order) == 3_750
    assert settle(order.pk) == 3_750
    inventory.release([order.pk])
    carry(order)
    assert order.ended_at
    assert (outside(order), books(order)) == (3_750, ("refunded", 0, 2_500))
    agreed(order)


def test_the_rest_at_the_provider_ends_what_was_settled_in_part() -> None:
    """£12.50 went another way; the rest goes back by hand, and the bank takes a part of it."""
    order = completed()
    ask(order, {"MUG": 1})
    stuck(order)
    settle(order.pk)
    carry(order)
    by_hand(order, 2_500)
    lost(order, 2_500)
    look()
    carry(order)
    carry(order)
    assert order.status == OrderStatus.REFUNDED
    assert (outside(order), books(order)) == (1_250, ("refunded", 6_250, 5_000))
    agreed(order)


def test_more_than_was_left_is_a_finding_and_not_taken_over_for_ever() -> None:
    """Settled, and refunded at the provider all the same."""
    order = cancelled()
    stuck(order)
    settle(order.pk)
    inventory.release([order.pk])
    carry(order)
    by_hand(order)
    look()
    carry(order)
    report = look()
    assert report.mended == []
    [finding] = report.raised
    assert (finding.kind, finding.ours_minor, finding.theirs_minor) == (Finding.Kind.REFUND_UNKNOWN, 0, 6_250)
    assert "more than was captured" in finding.detail
