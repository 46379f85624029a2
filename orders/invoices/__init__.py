"""Invoices: issued with the order, printed when somebody has time or asks."""
