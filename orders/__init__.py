"""The order: what it is, what may happen to it, and what did."""
