"""Handing the goods to a carrier."""
