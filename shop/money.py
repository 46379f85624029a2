"""The shop's door to money: it counts and writes amounts as the orders do."""

from orders.money import decimals, format, percent, tax_within

__all__ = ["decimals", "format", "percent", "tax_within"]
