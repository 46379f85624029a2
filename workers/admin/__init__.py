"""What the admin shows of the workers: dead letters, by failure and one by one, and circuit breakers."""

from workers.admin.breakers import BreakerAdmin
from workers.admin.deadletters import DeadLetterAdmin

__all__ = ["BreakerAdmin", "DeadLetterAdmin"]
