"""Invoices and credit notes: issued with the order; their PDFs are made later, or when somebody asks."""

from orders.invoices.printing import file_of, pdf

__all__ = ["file_of", "pdf"]
