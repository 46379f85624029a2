"""Circuit breakers: while a provider is away its orders are parked, not tried, and no attempt of theirs is counted.

The row of a provider (workers.models.Breaker) is shared by all workers and outlives them and the broker. The breakers
that there are as packages (pybreaker, circuitbreaker, purgatory) guard one call in one process, or share a count
through Redis, and raise. What is wanted here is about rows: whole batches are parked in PostgreSQL, a few are let
through to see whether the provider is back, and all of it is known after the broker was wiped. So the rules are ours:
`rules` decides, a step asks `admission`, the relay does `recovery`, `parking` says what becomes of parked orders.

A provider is away when it does not connect, answer in time or answer better than 5xx or 429. What it says of one order
(orders.providers.failures.NotNow, Refused, a declined card) is an answer.
"""
