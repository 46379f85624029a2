"""Amounts of money in the templates of orders: its pages in the admin."""

from django import template

from orders.money import format

register = template.Library()


@register.filter
def amount(minor: int, currency: str) -> str:
    """`{{ order.total_minor|amount:order.currency }}` -> £12.50"""
    return format(minor, currency)
