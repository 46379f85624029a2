"""The relay: finds what is due and rings for it, and tells the world what happened."""
