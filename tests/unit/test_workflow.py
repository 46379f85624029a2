"""`remaining` names what is left, from any way an order can stand, and never anything that is done."""

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from orders.states import END_STATES, FAILED_STATES, OrderStatus, PaymentMethod
from orders.workflow import SIDE_BY_SIDE, Facts, Plan, Step, remaining
from workers.workflow import canvas

FACTS = st.builds(
    Facts,
    order_id=st.just(1),
    status=st.sampled_from(OrderStatus),
    payment_method=st.sampled_from(PaymentMethod),
    done=st.frozensets(st.sampled_from(SIDE_BY_SIDE)),
    holds_stock=st.booleans(),
    holds_money=st.booleans(),
    owes_refund=st.booleans(),
)


def steps(plan: Plan) -> list[Step]:
    return [step for part in plan for step in (part if isinstance(part, tuple) else (part,))]


def fresh(method: PaymentMethod) -> Facts:
    return Facts(1, OrderStatus.PLACED, method)


def test_a_fresh_order_has_its_whole_way_before_it() -> None:
    assert remaining(fresh(PaymentMethod.CARD)) == (
        Step.RESERVE,
        Step.CHARGE,
        (Step.EMAIL, Step.SMS, Step.INVOICE, Step.SHIP),
        Step.COMPLETE,
    )


def test_cash_on_delivery_is_never_charged() -> None:
    for status in OrderStatus:
        assert Step.CHARGE not in steps(remaining(Facts(1, status, PaymentMethod.COD)))


def test_a_cancelled_order_is_cleared_up() -> None:
    facts = Facts(1, OrderStatus.CANCELLED, PaymentMethod.CARD, holds_stock=True, holds_money=True)
    assert remaining(facts) == (Step.RELEASE, Step.REFUND, (Step.EMAIL, Step.SMS), Step.CLOSE)


def test_a_completed_order_gives_back_what_it_promised() -> None:
    facts = Facts(
        1, OrderStatus.COMPLETED, PaymentMethod.CARD, frozenset({Step.EMAIL, Step.SMS}), owes_refund=True
    )
    assert remaining(facts) == (Step.REFUND, Step.CLOSE)


@given(FACTS)
def test_a_promise_is_kept_before_the_order_ends(facts: Facts) -> None:
    if facts.owes_refund and facts.status in END_STATES:
        assert Step.REFUND in steps(remaining(facts))
        assert steps(remaining(facts))[-1] == Step.CLOSE


@given(FACTS)
def test_what_is_done_is_not_done_again(facts: Facts) -> None:
    left = steps(remaining(facts))
    assert len(left) == len(set(left))
    assert not facts.done & set(left)
    if not facts.holds_money and not facts.owes_refund:
        assert Step.REFUND not in left


@given(FACTS)
def test_a_failed_order_is_never_fulfilled(facts: Facts) -> None:
    if facts.status in FAILED_STATES:
        assert not {Step.RESERVE, Step.CHARGE, Step.SHIP, Step.INVOICE, Step.COMPLETE} & set(
            steps(remaining(facts))
        )


@given(FACTS)
def test_every_order_that_is_not_completed_has_something_that_ends_it(facts: Facts) -> None:
    left = steps(remaining(facts))
    if facts.status != OrderStatus.COMPLETED:
        assert left[-1] in (Step.COMPLETE, Step.CLOSE)


def test_the_canvas_hands_the_batch_from_step_to_step() -> None:
    whole: Any = canvas(remaining(fresh(PaymentMethod.CARD)), [1, 2, 3])
    first, second, group = whole.tasks
    assert (first.task, first.args) == (Step.RESERVE.value, ([1, 2, 3],))
    assert (second.task, second.args) == (Step.CHARGE.value, ())
    assert {member.task for member in group.tasks} == {
        "email.send",
        "sms.send",
        "inventory.invoice",
        "shipping.book",
    }
    assert (group.body.task, group.body.args) == (Step.COMPLETE.value, ([1, 2, 3],))
