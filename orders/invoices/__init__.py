"""Invoices: issued with the order, printed when somebody has time or asks."""

from orders.invoices.printing import pdf

__all__ = ["pdf"]
