"""Tax and totals: exact integers, whatever the prices, rates and quantities."""

from decimal import ROUND_HALF_UP, Decimal, localcontext

from hypothesis import given
from hypothesis import strategies as st

from orders.money import tax_within
from shop.checkout.quoting import fingerprint

AMOUNTS = st.integers(0, 10**15)
RATES = st.integers(0, 10_000)  # basis points
JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(st.characters(codec="utf-8")),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(st.characters(codec="utf-8")), inner),
    max_leaves=12,
)


@given(gross=AMOUNTS, rate=RATES)
def test_the_tax_within_a_gross_amount_is_rounded_half_up(gross: int, rate: int) -> None:
    with localcontext(prec=60):
        exact = Decimal(gross) * rate / (10_000 + rate)
        assert tax_within(gross, rate) == exact.quantize(Decimal(1), ROUND_HALF_UP)


@given(gross=AMOUNTS, rate=RATES)
def test_tax_lies_within_the_amount(gross: int, rate: int) -> None:
    assert 0 <= tax_within(gross, rate) <= gross


@given(gross=st.integers(0, 10**12), more=st.integers(0, 10**6), rate=RATES)
def test_more_money_never_holds_less_tax(gross: int, more: int, rate: int) -> None:
    assert tax_within(gross, rate) <= tax_within(gross + more, rate)


@given(amounts=st.lists(st.tuples(st.integers(1, 10**9), RATES), min_size=1, max_size=40))
def test_rounding_line_by_line_stays_within_half_a_unit_a_line(amounts: list[tuple[int, int]]) -> None:
    with localcontext(prec=60):
        exact = sum((Decimal(gross) * rate / (10_000 + rate) for gross, rate in amounts), Decimal(0))
        rounded = sum(tax_within(gross, rate) for gross, rate in amounts)
        assert abs(rounded - exact) <= Decimal("0.5") * len(amounts)


@given(value=JSON, other=JSON)
def test_a_fingerprint_tells_requests_apart(value: object, other: object) -> None:
    assert len(fingerprint(value)) == 64
    assert (fingerprint(value) == fingerprint(other)) is (repr(_sorted(value)) == repr(_sorted(other)))


@given(value=st.dictionaries(st.text(st.characters(codec="utf-8")), JSON, min_size=2))
def test_a_fingerprint_does_not_depend_on_the_order_of_fields(value: dict[str, object]) -> None:
    assert fingerprint(value) == fingerprint(dict(reversed(value.items())))


def _sorted(value: object) -> object:
    if isinstance(value, dict):
        return {name: _sorted(inner) for name, inner in sorted(value.items())}
    return [_sorted(inner) for inner in value] if isinstance(value, list) else value
