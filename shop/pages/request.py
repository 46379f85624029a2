"""The request as our views get it: with what the middleware has put on it."""

from django.http import HttpRequest
from django_htmx.middleware import HtmxDetails


class ShopRequest(HttpRequest):
    htmx: HtmxDetails
    shared = False  # the answer goes to everybody (shop.pages.shared)


def wants_fragment(request: ShopRequest) -> bool:
    """htmx asks for the part that changes; but a page restored from the browser's history must come whole."""
    return bool(request.htmx) and not request.htmx.history_restore_request
