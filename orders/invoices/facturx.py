"""The invoice for machines: XML after EN 16931 in UN/CEFACT's syntax, which Factur-X embeds in the PDF.

It says what the page says, from the same figures. Prices here include tax and the standard counts without. So a line's
net amount is its gross amount less its tax, and the net price of a piece gets as many decimals as it takes to come to
that amount. Everything is counted in minor units, so the sums that the standard asks for (BR-CO-10 to BR-CO-16) hold to
the cent. Tax is rounded by line, as on the page; the standard allows its sum to differ by less than one unit of the
currency from the tax on the net sum (BR-CO-17, BR-S-09).

There is no XML where it could not be true or valid: a seller without a tax number, a currency with more than two
decimals (BR-DEC), a sum of roundings beyond that allowance, characters that XML cannot hold. The invoice is then the
PDF alone.

The text is put together here and not by a library: this takes 0.1 ms, and object models of the schema take 10 to 30.
The tests check it against the schemas and rules of Factur-X. Source of the names: Factur-X 1.09, technical appendix.
"""

import re
from collections.abc import Iterator
from decimal import Decimal
from xml.sax.saxutils import escape

from orders.invoices.content import note_of
from orders.invoices.figures import Figures, Item, Sum
from orders.models import Document, Order
from orders.money import decimals
from orders.states import PaymentMethod

FILENAME = "factur-x.xml"
PROFILE = "EN 16931"

_GUIDELINE = "urn:cen.eu:en16931:2017"
_INVOICE, _CREDIT_NOTE = "380", "381"  # UNTDID 1001
_CARD, _NOT_DEFINED = "48", "1"  # UNTDID 4461
_PIECE = "H87"  # UN/ECE recommendation 20
_STANDARD, _ZERO = "S", "Z"  # UNTDID 5305
_ALLOWANCE = Decimal(1)  # of the currency, by which rounded tax may differ from tax on the sum
_LEAST_RATE_BP = 50  # the rules count a lower rate as none (BR-CO-17 rounds it)
_MOST_PRICE_DECIMALS = 12
_NO_XML = re.compile(r"[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")

_HEAD = (
    '<?xml version="1.0" encoding="UTF-8"?>\n'
    '<rsm:CrossIndustryInvoice xmlns:rsm="urn:un:unece:uncefact:data:standard:CrossIndustryInvoice:100"'
    ' xmlns:ram="urn:un:unece:uncefact:data:standard:ReusableAggregateBusinessInformationEntity:100"'
    ' xmlns:qdt="urn:un:unece:uncefact:data:standard:QualifiedDataType:100"'
    ' xmlns:udt="urn:un:unece:uncefact:data:standard:UnqualifiedDataType:100">'
    "<rsm:ExchangedDocumentContext><ram:GuidelineSpecifiedDocumentContextParameter>"
    f"<ram:ID>{_GUIDELINE}</ram:ID>"
    "</ram:GuidelineSpecifiedDocumentContextParameter></rsm:ExchangedDocumentContext>"
)


def xml_of(document: Document, figures: Figures, credits: Document | None = None) -> str:
    """The document as XML, "" where there can be none. Its order must be loaded; `credits` is the credited invoice."""
    order = document.order
    if (
        not document.seller_vat_id
        or not document.seller_country
        or decimals(order.currency) > 2
        or not all(_allowed(one, order.currency) for one in figures.sums)
    ):
        return ""
    made = "".join(_parts(document, figures, credits))
    return "" if _NO_XML.search(made) else made


def _parts(document: Document, figures: Figures, credits: Document | None) -> Iterator[str]:
    order, places = document.order, decimals(document.order.currency)
    yield _HEAD
    yield (
        f"<rsm:ExchangedDocument><ram:ID>{document.number}</ram:ID>"
        f"<ram:TypeCode>{_CREDIT_NOTE if credits else _INVOICE}</ram:TypeCode>"
        f'<ram:IssueDateTime><udt:DateTimeString format="102">{document.issued_on:%Y%m%d}</udt:DateTimeString>'
        "</ram:IssueDateTime>"
        f"<ram:IncludedNote><ram:Content>{escape(document.seller.strip())}</ram:Content>"
        "<ram:SubjectCode>REG</ram:SubjectCode></ram:IncludedNote>"
        "</rsm:ExchangedDocument><rsm:SupplyChainTradeTransaction>"
    )
    for number, item in enumerate(figures.items, start=1):
        yield _line(number, item, places)
    yield (
        f"<ram:ApplicableHeaderTradeAgreement>{_seller(document)}{_buyer(order)}"
        f"<ram:SellerOrderReferencedDocument><ram:IssuerAssignedID>{order.number}</ram:IssuerAssignedID>"
        "</ram:SellerOrderReferencedDocument></ram:ApplicableHeaderTradeAgreement>"
        f"<ram:ApplicableHeaderTradeDelivery><ram:ShipToTradeParty><ram:Name>{escape(order.name)}</ram:Name>"
        f"{_address(order)}</ram:ShipToTradeParty></ram:ApplicableHeaderTradeDelivery>"
    )
    yield _settlement(document, figures, credits, places)
    yield "</rsm:SupplyChainTradeTransaction></rsm:CrossIndustryInvoice>\n"


def _line(number: int, item: Item, places: int) -> str:
    sku = f"<ram:SellerAssignedID>{escape(item.sku)}</ram:SellerAssignedID>" if item.sku else ""
    return (
        "<ram:IncludedSupplyChainTradeLineItem><ram:AssociatedDocumentLineDocument>"
        f"<ram:LineID>{number}</ram:LineID></ram:AssociatedDocumentLineDocument>"
        f"<ram:SpecifiedTradeProduct>{sku}<ram:Name>{escape(item.name)}</ram:Name></ram:SpecifiedTradeProduct>"
        "<ram:SpecifiedLineTradeAgreement><ram:NetPriceProductTradePrice>"
        f"<ram:ChargeAmount>{net_price(item.net, item.quantity, places)}</ram:ChargeAmount>"
        "</ram:NetPriceProductTradePrice></ram:SpecifiedLineTradeAgreement><ram:SpecifiedLineTradeDelivery>"
        f'<ram:BilledQuantity unitCode="{_PIECE}">{item.quantity}</ram:BilledQuantity>'
        "</ram:SpecifiedLineTradeDelivery><ram:SpecifiedLineTradeSettlement><ram:ApplicableTradeTax>"
        f"<ram:TypeCode>VAT</ram:TypeCode><ram:CategoryCode>{_category(item.rate_bp)}</ram:CategoryCode>"
        f"<ram:RateApplicablePercent>{_amount(item.rate_bp, 2)}</ram:RateApplicablePercent>"
        "</ram:ApplicableTradeTax><ram:SpecifiedTradeSettlementLineMonetarySummation>"
        f"<ram:LineTotalAmount>{_amount(item.net, places)}</ram:LineTotalAmount>"
        "</ram:SpecifiedTradeSettlementLineMonetarySummation></ram:SpecifiedLineTradeSettlement>"
        "</ram:IncludedSupplyChainTradeLineItem>"
    )


def _seller(document: Document) -> str:
    """Name, country and tax number; the rest is free text, in the document's note."""
    name = document.seller.strip().partition("\n")[0].strip()
    return (
        f"<ram:SellerTradeParty><ram:Name>{escape(name)}</ram:Name>"
        f"<ram:PostalTradeAddress><ram:CountryID>{escape(document.seller_country)}</ram:CountryID>"
        "</ram:PostalTradeAddress>"
        f'<ram:SpecifiedTaxRegistration><ram:ID schemeID="VA">{escape(document.seller_vat_id)}</ram:ID>'
        "</ram:SpecifiedTaxRegistration></ram:SellerTradeParty>"
    )


def _buyer(order: Order) -> str:
    return (
        f"<ram:BuyerTradeParty><ram:Name>{escape(order.name)}</ram:Name>"
        "<ram:DefinedTradeContact><ram:EmailURIUniversalCommunication>"
        f"<ram:URIID>{escape(order.email)}</ram:URIID>"
        "</ram:EmailURIUniversalCommunication></ram:DefinedTradeContact>"
        f"{_address(order)}</ram:BuyerTradeParty>"
    )


def _address(order: Order) -> str:
    lines = "".join(
        f"<ram:{name}>{escape(text)}</ram:{name}>"
        for name, text in (
            ("PostcodeCode", order.postcode),
            ("LineOne", order.line1),
            ("LineTwo", order.line2),
            ("CityName", order.city),
            ("CountryID", order.country),
        )
        if text.strip()
    )
    return f"<ram:PostalTradeAddress>{lines}</ram:PostalTradeAddress>"


def _settlement(document: Document, figures: Figures, credits: Document | None, places: int) -> str:
    order = document.order
    card = order.payment_method == PaymentMethod.CARD
    # An invoice by card is paid when it is issued; what a credit note credits is to go back.
    paid = figures.gross if card and not credits else 0
    net, tax, gross = (_amount(minor, places) for minor in (figures.net, figures.tax, figures.gross))
    invoice = (
        (
            f"<ram:InvoiceReferencedDocument><ram:IssuerAssignedID>{credits.number}</ram:IssuerAssignedID>"
            '<ram:FormattedIssueDateTime><qdt:DateTimeString format="102">'
            f"{credits.issued_on:%Y%m%d}</qdt:DateTimeString></ram:FormattedIssueDateTime>"
            "</ram:InvoiceReferencedDocument>"
        )
        if credits
        else ""
    )
    return (
        "<ram:ApplicableHeaderTradeSettlement>"
        f"<ram:InvoiceCurrencyCode>{order.currency}</ram:InvoiceCurrencyCode>"
        "<ram:SpecifiedTradeSettlementPaymentMeans>"
        f"<ram:TypeCode>{_CARD if card else _NOT_DEFINED}</ram:TypeCode></ram:SpecifiedTradeSettlementPaymentMeans>"
        + "".join(_rate(one, places) for one in figures.sums)
        + f"<ram:SpecifiedTradePaymentTerms><ram:Description>{escape(note_of(document))}</ram:Description>"
        "</ram:SpecifiedTradePaymentTerms><ram:SpecifiedTradeSettlementHeaderMonetarySummation>"
        f"<ram:LineTotalAmount>{net}</ram:LineTotalAmount><ram:TaxBasisTotalAmount>{net}</ram:TaxBasisTotalAmount>"
        f'<ram:TaxTotalAmount currencyID="{order.currency}">{tax}</ram:TaxTotalAmount>'
        f"<ram:GrandTotalAmount>{gross}</ram:GrandTotalAmount>"
        f"<ram:TotalPrepaidAmount>{_amount(paid, places)}</ram:TotalPrepaidAmount>"
        f"<ram:DuePayableAmount>{_amount(figures.gross - paid, places)}</ram:DuePayableAmount>"
        f"</ram:SpecifiedTradeSettlementHeaderMonetarySummation>{invoice}</ram:ApplicableHeaderTradeSettlement>"
    )


def _rate(one: Sum, places: int) -> str:
    return (
        f"<ram:ApplicableTradeTax><ram:CalculatedAmount>{_amount(one.tax, places)}</ram:CalculatedAmount>"
        f"<ram:TypeCode>VAT</ram:TypeCode><ram:BasisAmount>{_amount(one.net, places)}</ram:BasisAmount>"
        f"<ram:CategoryCode>{_category(one.rate_bp)}</ram:CategoryCode>"
        f"<ram:RateApplicablePercent>{_amount(one.rate_bp, 2)}</ram:RateApplicablePercent></ram:ApplicableTradeTax>"
    )


def _category(rate_bp: int) -> str:
    return _STANDARD if rate_bp else _ZERO


def _allowed(one: Sum, currency: str) -> bool:
    """Whether tax rounded by line is near enough to tax on the sum. Half a cent is for the rule's rounding."""
    if 0 < one.rate_bp < _LEAST_RATE_BP:
        return False
    unit = Decimal(10) ** decimals(currency)
    exact = Decimal(one.net * one.rate_bp) / 10_000
    return abs(Decimal(one.tax) - exact) / unit < _ALLOWANCE - Decimal("0.005")


def net_price(net_minor: int, quantity: int, places: int) -> str:
    """The price of a piece, with no more decimals than it takes for `quantity` of them to come to the net amount."""
    for more in range(_MOST_PRICE_DECIMALS):
        scale = 10**more
        scaled = (2 * net_minor * scale + quantity) // (2 * quantity)  # rounded half up
        if abs(scaled * quantity - net_minor * scale) * 2 < scale:
            break
    return _amount(scaled, places + more)


def _amount(minor: int, places: int) -> str:
    """1250, 2 -> "12.50"."""
    return f"{Decimal(minor).scaleb(-places):f}"
