"""The doors at which providers ring."""
