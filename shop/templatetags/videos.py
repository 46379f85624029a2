"""`{% video_card product %}`: the video card on a product's page in the admin, for the catalogue's templates."""

from typing import Any

from django import template
from django.template.context import RequestContext

from shop.catalogue.models import Product
from shop.videos import desk

register = template.Library()


@register.inclusion_tag("shop/desk/_video_card.html", takes_context=True)
def video_card(context: RequestContext, product: Product) -> dict[str, Any]:
    request = context["request"]
    return {
        **desk.card(product),
        **desk.rights(request),
        "request": request,
        "csrf_token": context.get("csrf_token"),
    }
