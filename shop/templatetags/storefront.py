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
    """The address of another page of the same list: the same query with another `page`."""
    asked = query.copy()
    asked.pop("page", None)
    if number > 1:
        asked["page"] = str(number)
    return f"?{asked.urlencode()}" if asked else "."


@register.simple_tag
def picture_of(product: Product) -> str:
    """The address of the product's picture, or of a placeholder when it has none or its file does not exist: a mistake
    in the catalogue must not break the page."""
    try:
        return static(product.picture_path)
    except ValueError:
        return static(PLACEHOLDER)
