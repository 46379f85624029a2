"""Amounts of money in the templates of orders: its e-mails and its pages at the operator's desk."""

from collections.abc import Sequence

from django import template
from django.template.context import Context
from django.utils.html import escape
from django.utils.safestring import SafeString, mark_safe

from orders.money import format

register = template.Library()

MAIL_LINES = 50  # a mail that lists hundreds is read by nobody; the order's page has them all


@register.filter
def amount(minor: int, currency: str) -> str:
    """`{{ order.total_minor|amount:order.currency }}` -> £12.50"""
    return format(minor, currency)


@register.simple_tag(takes_context=True)
def each_line(
    context: Context, lines: Sequence[tuple[int, str, int]], currency: str, pattern: str, rest: str
) -> SafeString:
    """Put every (quantity, name, amount) into the pattern, a line each; from MAIL_LINES on say how many are
    left out.

    `{% each_line lines message.currency "{} × {}: {}" "… and {} more" %}`. Django's own loop takes
    several times as long, and would be most of what a mail costs when a crowd orders 29 articles each.
    """
    safe = escape if context.autoescape else str
    told = [
        pattern.format(quantity, safe(name), format(minor, currency))
        for quantity, name, minor in lines[:MAIL_LINES]
    ]
    if len(lines) > MAIL_LINES:
        told.append(rest.format(len(lines) - MAIL_LINES))
    return mark_safe("\n".join(told))  # noqa: S308 (names are escaped above, all else is the template's own)
