"""Filters and tags of the shop's templates."""

from django import template
from django.http import QueryDict
from django.templatetags.static import static

from orders import money as amounts
from shop.catalogue.models import Product

register = template.Library()

PLACEHOLDER = "shop/pictures/placeholder-1.svg"


@register.filter
def money(minor: int, currency: str) -> str:
    """`{{ product.price_minor|money:product.currency }}` -> £12.50"""
    return amounts.format(minor, currency)


@register.filter
def percent(basis_points: int) -> str:
    """`{{ line.tax_rate_bp|percent }}` -> 20% or 5.5%"""
    return amounts.percent(basis_points)


@register.simple_tag
def page_query(query: QueryDict, number: int) -> str:
    """The address of another page of the same list: everything that was asked, with `page` put in its
    place."""
    asked = query.copy()
    asked.pop("page", None)
    if number > 1:
        asked["page"] = str(number)
    return f"?{asked.urlencode()}" if asked else "."


@register.simple_tag
def picture_of(product: Product) -> str:
    """The address of the product's picture, or of one that stands in for it when it has none or names a file that is
    not there: a slip in the catalogue must not take the page down."""
    try:
        return static(product.picture_path)
    except ValueError:
        return static(PLACEHOLDER)
