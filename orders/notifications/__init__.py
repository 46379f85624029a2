"""Telling the customer what became of the order: one package a channel, one row a message."""
