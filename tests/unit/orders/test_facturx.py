"""The invoice for machines: it says what the page says, and keeps to the schema and the rules of EN 16931."""

from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from orders.invoices.facturx import net_price, xml_of
from orders.invoices.figures import DoesNotAddUp, Figures, invoiced
from orders.models import OrderLine
from tests.invoicing import broken_rules, document, said_in

SUMS = "//ram:SpecifiedTradeSettlementHeaderMonetarySummation/ram:"
RATES = (2_000, 500, 0, 1_900, 700, 550, 2_100)
TEXT = st.text(st.characters(codec="utf-8", exclude_categories=["C"]), min_size=1, max_size=60).filter(
    str.strip
)

lines = st.lists(
    st.tuples(st.integers(1, 10_000), st.integers(1, 1_000_000), st.sampled_from(RATES)),
    min_size=1,
    max_size=40,
)


def minor(amount: str, places: int) -> int:
    return int(Decimal(amount) * 10**places)


@settings(deadline=None, max_examples=60)
@given(
    wanted=lines,
    currency=st.sampled_from(["GBP", "EUR", "JPY"]),
    method=st.sampled_from(["card", "cod"]),
    name=TEXT,
    article=TEXT,
    line2=st.just("") | TEXT,
)
def test_it_is_valid_and_says_what_was_charged(
    wanted: list[tuple[int, int, int]], currency: str, method: str, name: str, article: str, line2: str
) -> None:
    invoice, rows = document(
        wanted, currency=currency, method=method, names=[article], name=name, line2=line2
    )
    figures = invoiced(invoice, rows)
    xml = xml_of(invoice, figures)
    places = 0 if currency == "JPY" else 2
    if not xml:
        assert beyond_the_allowance(figures, places)
        return
    assert broken_rules(xml) == []
    order = invoice.order
    assert [minor(said, places) for said in said_in(xml, f"{SUMS}GrandTotalAmount")] == [order.total_minor]
    assert [minor(said, places) for said in said_in(xml, f"{SUMS}TaxTotalAmount")] == [order.tax_minor]
    assert [minor(said, places) for said in said_in(xml, f"{SUMS}DuePayableAmount")] == [
        0 if method == "card" else order.total_minor
    ]
    nets = said_in(xml, "//ram:SpecifiedTradeSettlementLineMonetarySummation/ram:LineTotalAmount")
    assert sum(minor(net, places) for net in nets) == order.net_minor
    prices = said_in(xml, "//ram:NetPriceProductTradePrice/ram:ChargeAmount")
    for net, price, line in zip(nets, prices, rows, strict=True):
        assert round(Decimal(price) * line.quantity, places) == Decimal(net)


def beyond_the_allowance(figures: Figures, places: int) -> bool:
    """Whether tax rounded by line is about a unit of the currency away from tax on the sum, at some rate."""
    return any(
        abs(one.tax - Decimal((one.gross - one.tax) * one.rate_bp) / 10_000) / 10**places > Decimal("0.99")
        for one in figures.sums
    )


@given(net=st.integers(0, 10**10), quantity=st.integers(1, 10**6), places=st.sampled_from([0, 2]))
def test_the_net_price_times_the_quantity_is_the_net_amount(net: int, quantity: int, places: int) -> None:
    price = Decimal(net_price(net, quantity, places))
    assert abs(price * quantity - Decimal(net) / 10**places) < Decimal("0.5") / 10**places


def test_a_long_invoice_is_valid_too() -> None:
    invoice, rows = document([(1 + number % 7, 3 + 11 * number, RATES[number % 3]) for number in range(687)])
    xml = xml_of(invoice, invoiced(invoice, rows))
    assert len(said_in(xml, "//ram:IncludedSupplyChainTradeLineItem")) == 687
    assert broken_rules(xml) == []


def test_names_are_text_and_never_markup() -> None:
    invoice, rows = document(
        [(1, 100, 2_000)], names=["</ram:Name><evil/>&amp; “x”"], name="<Łukasz & Söhne>"
    )
    xml = xml_of(invoice, invoiced(invoice, rows))
    assert broken_rules(xml) == []
    assert said_in(xml, "//ram:SpecifiedTradeProduct/ram:Name") == ["</ram:Name><evil/>&amp; “x”"]
    assert said_in(xml, "//ram:BuyerTradeParty/ram:Name") == ["<Łukasz & Söhne>"]


def test_the_judge_does_find_what_is_wrong() -> None:
    invoice, rows = document([(2, 1_250, 2_000)])
    xml = xml_of(invoice, invoiced(invoice, rows))
    assert broken_rules(xml) == []
    problems = broken_rules(xml.replace("<ram:GrandTotalAmount>25.00", "<ram:GrandTotalAmount>25.01"))
    assert any("BR-CO-15" in problem for problem in problems)
    assert "TypeCode" in broken_rules(xml.replace("<ram:TypeCode>380</ram:TypeCode>", ""))[0]


@pytest.mark.parametrize(
    ("wanted", "said"),
    [
        ([(1, 1_000, 2_000)], {"seller_vat_id": ""}),
        ([(1, 1_000, 2_000)], {"seller_country": ""}),
        # Each of three pence rounds half a penny up: 300 of them differ by 1.50 from the tax on their sum.
        ([(1, 3, 2_000)] * 300, {}),
        ([(1, 1_000_000, 30)], {}),
    ],
    ids=["no tax number", "no country", "too much rounding", "a rate that the rules take for none"],
)
def test_there_is_none_where_it_could_not_be_valid(
    wanted: list[tuple[int, int, int]], said: dict[str, str]
) -> None:
    invoice, rows = document(wanted)
    for name, value in said.items():
        setattr(invoice, name, value)
    assert xml_of(invoice, invoiced(invoice, rows)) == ""


def test_there_is_none_in_a_currency_of_three_decimals_or_with_letters_that_xml_cannot_hold() -> None:
    for said in ({"currency": "KWD"}, {"name": "Bell \x07 Ltd"}):
        invoice, rows = document([(1, 1_000, 2_000)], **said)
        assert xml_of(invoice, invoiced(invoice, rows)) == ""


def test_lines_that_are_not_what_was_charged_are_not_printed() -> None:
    invoice, rows = document([(1, 1_000, 2_000)])
    added = OrderLine(pk=9, position=9, sku="X", name="X", quantity=1, unit_price_minor=1, tax_rate_bp=0)
    with pytest.raises(DoesNotAddUp, match="Somebody changed its lines"):
        invoiced(invoice, [*rows, added])
