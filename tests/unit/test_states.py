"""The states: every step is legal by the table, ends are ends, and each state is announced by its event."""

from hypothesis import given
from hypothesis import strategies as st

from orders.states import CANCELLABLE_STATES, END_STATES, FAILED_STATES, STATE_AFTER, STEPS, OrderStatus


def test_every_state_has_its_steps_and_its_event() -> None:
    assert set(STEPS) == set(OrderStatus)
    assert set(STATE_AFTER.values()) == set(OrderStatus)


def test_failed_orders_go_nowhere() -> None:
    assert all(not STEPS[state] for state in FAILED_STATES)
    assert FAILED_STATES < END_STATES


def test_cancelling_is_a_legal_step_wherever_it_is_offered() -> None:
    assert all(OrderStatus.CANCELLED in STEPS[state] for state in CANCELLABLE_STATES)


@given(st.data())
def test_every_walk_ends(data: st.DataObject) -> None:
    """Whatever legal steps are taken, an order never visits a state twice, so it comes to an end."""
    state = OrderStatus.PLACED
    seen = {state}
    while STEPS[state]:
        state = data.draw(st.sampled_from(sorted(STEPS[state])))
        assert state not in seen
        seen.add(state)
    assert state in END_STATES
