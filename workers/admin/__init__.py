"""What workers bring to the operator's desk: the dead letters, by failure and one by one, and what may be done."""

from workers.admin.breakers import BreakerAdmin
from workers.admin.deadletters import DeadLetterAdmin

__all__ = ["BreakerAdmin", "DeadLetterAdmin"]
