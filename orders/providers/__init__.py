"""How the shop calls its providers: one HTTP session for each process, and what a failed call means."""
