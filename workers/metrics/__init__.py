"""How the house does, in figures for Prometheus: what waits, what is under way, what failed, whose door is shut.

Everything that matters stands in PostgreSQL and in the broker's queues, and is asked for when somebody looks
(`collecting`), by statements whose cost has a bound (`figures`); only what no table can tell cheaply is counted as it
happens (`counting`). The relay serves it from a thread of its own (`serving`), so there is no further process to start,
and a relay that is dead is seen by its figures being gone.
"""
