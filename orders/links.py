"""Where an order can be seen, for e-mails, texts, providers and API answers.

Written here and not reversed from the storefront's routes: the workers need not load every view to write a link. A
test holds these against the routes.
"""

from django.conf import settings


def order_path(token: str) -> str:
    return f"/orders/{token}/"


def order_url(token: str) -> str:
    return settings.SHOP_URL + order_path(token)


def invoice_url(token: str) -> str:
    return f"{order_url(token)}invoice.pdf"
