"""The tables of the workers: dead letters, failed attempts, replays and circuit breakers."""

from workers.models.attempt import FailedAttempt
from workers.models.breaker import Breaker
from workers.models.deadletter import DeadLetter, DeadLetterAction
from workers.models.replay import Replay

__all__ = ["Breaker", "DeadLetter", "DeadLetterAction", "FailedAttempt", "Replay"]
