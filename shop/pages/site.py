"""Small addresses that browsers and crawlers ask for by themselves."""

from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.templatetags.static import static
from django.views.decorators.cache import cache_control
from django.views.decorators.http import require_safe

_ROBOTS = "User-agent: *\nDisallow: /cart/\nDisallow: /checkout/\nDisallow: /orders/\nDisallow: /admin/\n"


@require_safe
@cache_control(max_age=86_400, public=True)
def robots(_request: HttpRequest) -> HttpResponse:
    return HttpResponse(_ROBOTS, content_type="text/plain")


@require_safe
@cache_control(max_age=86_400, public=True)
def favicon(_request: HttpRequest) -> HttpResponse:
    """Where browsers look when a document, such as an invoice, names no icon."""
    return redirect(static("shop/favicon.svg"))
