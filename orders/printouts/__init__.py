"""Printouts: what staff print or save, made beside the shop's work however large it is."""
