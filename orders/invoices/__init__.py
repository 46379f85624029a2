"""Invoices: issued with the order, printed when somebody has time or asks."""

from orders.invoices.printing import file_of, pdf

__all__ = ["file_of", "pdf"]
