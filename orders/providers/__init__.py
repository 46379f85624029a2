"""How the house speaks to the world outside: one HTTP session per process, and what its failures mean."""
