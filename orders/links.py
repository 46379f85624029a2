"""Where an order can be seen, for e-mails, texts, providers and API answers.

Not reversed from the shop's routes, so that workers need not load every view to write a link. A test compares the two.
"""

from django.conf import settings


def order_path(token: str) -> str:
    return f"/orders/{token}/"


def order_url(token: str) -> str:
    return settings.SHOP_URL + order_path(token)


def invoice_url(token: str) -> str:
    return f"{order_url(token)}invoice.pdf"


def document_path(token: str, number: str) -> str:
    """Of any document of an order: INV-0000017, CN-0000003."""
    return f"{order_path(token)}{number}.pdf"


def document_url(token: str, number: str) -> str:
    return settings.SHOP_URL + document_path(token, number)
