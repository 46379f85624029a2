"""Figures for Prometheus: what waits, what is under way, what failed, which providers are away.

Nearly all of it is in PostgreSQL and in the broker's queues, and is asked for when somebody looks (`collecting`), by
statements whose cost has a bound (`figures`). Only what no table can answer cheaply is counted as it happens
(`counting`). The relay serves the figures from a thread (`serving`), so there is no further process to start, and a
dead relay is noticed because its figures are gone.
"""
