"""The tables of the workers: what was given up, what failed on the way there, who takes it up again, and what is
just being rung for."""

from workers.models.attempt import FailedAttempt
from workers.models.breaker import Breaker, Provider
from workers.models.claim import Claim
from workers.models.deadletter import DeadLetter, DeadLetterAction
from workers.models.replay import Replay

__all__ = ["Breaker", "Claim", "DeadLetter", "DeadLetterAction", "FailedAttempt", "Provider", "Replay"]
