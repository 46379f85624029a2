"""The tables of the workers: what was given up, what failed on the way there, and who takes it up again."""

from workers.models.attempt import FailedAttempt
from workers.models.breaker import Breaker
from workers.models.deadletter import DeadLetter, DeadLetterAction
from workers.models.replay import Replay

__all__ = ["Breaker", "DeadLetter", "DeadLetterAction", "FailedAttempt", "Replay"]
