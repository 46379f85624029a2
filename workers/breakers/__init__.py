"""Circuit breakers: while a provider is away its orders are parked, not tried, and no attempt of theirs is counted.

A breaker is a row (workers.models.Breaker), shared by all workers, which outlives them and the broker. The breakers of
packages (pybreaker, circuitbreaker, purgatory) guard one call in one process, or share a count through Redis. Here
batches of orders are parked in PostgreSQL, a few are let through to probe the provider, and nothing of it is lost when
the broker is wiped. So the rules are our own: `rules` decides, a step asks `admission`, the relay does `recovery`, and
`parking` says what becomes of parked orders.

A provider is away when it does not connect, does not answer in time, or answers 5xx or 429. What it says about one
order (orders.providers.failures.NotNow, Refused, a declined card) is an answer.
"""
