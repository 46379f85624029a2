"""Printouts: what staff print or save, made beside the shop's work however long it is."""
