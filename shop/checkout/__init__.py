"""Checkout: what a shopper may ask for, and what the catalogue answers."""
