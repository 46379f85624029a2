"""Order numbers: what people see leads back to the order, and nonsense leads nowhere."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orders.models.order import id_of, number_of


@given(st.integers(1, 10**12))
def test_a_number_leads_back_to_its_order(order_id: int) -> None:
    number = number_of(order_id)
    assert id_of(number) == id_of(number.lower()) == id_of(f"  {number} ") == order_id


@pytest.mark.parametrize("typed", ["", "S-", "S-1", "100000", "kettle", "S-1٣٤٥٦٧", "-5", "S-" + "9" * 30])
def test_nonsense_leads_nowhere(typed: str) -> None:
    assert id_of(typed) is None
