"""What goes wrong at a provider, set by the environment at its start and over HTTP while it runs.

Real providers show all of these faults. Some happen before the work, and then nothing was done. Others happen after
it: all was done, and the caller does not know. These are the reason for idempotency keys.
"""

import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from random import SystemRandom
from typing import Any

PREFIX = "SANDBOX_"
# Faults of webhooks and of single test cards; all others concern every call.
ELSEWHERE = ("late_answer_s", "webhook_repeat_rate", "webhook_delay_s", "timeout_s", "slow_s")
chance = SystemRandom()


class BadFault(ValueError):
    """A fault that does not exist, or a value that it cannot have."""


@dataclass(slots=True)
class Faults:
    """The faults in force. Rates are probabilities from 0 to 1, drawn for each call on its own."""

    # Added to every call before its work, in milliseconds.
    latency_ms: float = 0.0
    # Added on top, evenly spread from 0 to this, in milliseconds.
    jitter_ms: float = 0.0
    # Share of calls that fail with 500 (SMTP: 451) before any work.
    error_rate: float = 0.0
    # Share of calls that are turned away with 429 and Retry-After before any work.
    throttle_rate: float = 0.0
    # Share of calls whose work is done and committed, and whose connection is then cut instead of answered.
    lose_answer_rate: float = 0.0
    # Share of calls whose work is done and committed, and whose answer is held back for late_answer_s.
    late_answer_rate: float = 0.0
    # How long a late answer is held back, in seconds: longer than most callers wait.
    late_answer_s: float = 12.0
    # Share of webhooks that are sent a second time, as if the first answer had not been heard.
    webhook_repeat_rate: float = 0.0
    # How much later than it happened a webhook is sent, in seconds.
    webhook_delay_s: float = 0.0
    # The provider is down: connections are cut without an answer (SMTP: the port is closed).
    down: bool = False
    # How long pm_sandbox_timeout holds back the first answer, in seconds.
    timeout_s: float = 30.0
    # How long pm_sandbox_slow works, in seconds.
    slow_s: float = 2.0
    # True while a fault concerns every call; without one, a call checks nothing else.
    active: bool = False

    @classmethod
    def from_environment(cls, environment: Mapping[str, str] = os.environ) -> "Faults":
        """Read SANDBOX_LATENCY_MS, SANDBOX_ERROR_RATE, SANDBOX_DOWN and the like."""
        faults = cls()
        given = {name: environment.get(PREFIX + name.upper()) for name in faults.as_dict()}
        faults.update({name: _from_text(name, value) for name, value in given.items() if value})
        return faults

    def as_dict(self) -> dict[str, Any]:
        """The faults as JSON shows them."""
        values = asdict(self)
        del values["active"]
        return values

    def update(self, changes: Mapping[str, Any]) -> None:
        """Set what is named and leave the rest; all of it or, if anything is wrong, nothing."""
        known = self.as_dict()
        if unknown := [name for name in changes if name not in known]:
            raise BadFault(f"There is no fault named {unknown[0]!r}; there are {', '.join(known)}.")
        for name, value in [(name, _checked(name, value)) for name, value in changes.items()]:
            setattr(self, name, value)
        self.active = any(value for name, value in self.as_dict().items() if name not in ELSEWHERE)

    def delay(self) -> float:
        """Seconds to wait before the work of one call."""
        return (self.latency_ms + chance.random() * self.jitter_ms) / 1000


def strikes(rate: float) -> bool:
    """Whether a fault of this rate hits the present call."""
    return rate > 0 and chance.random() < rate


def _checked(name: str, value: Any) -> float | bool:
    if name == "down":
        if isinstance(value, bool):
            return value
        raise BadFault(f"{name} is true or false, not {value!r}.")
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < float("inf"):
        raise BadFault(f"{name} is a number from 0 upwards, not {value!r}.")
    if name.endswith("_rate") and value > 1:
        raise BadFault(f"{name} is a share from 0 to 1, not {value!r}.")
    return float(value)


def _from_text(name: str, text: str) -> float | bool:
    if name == "down":
        return text.strip().lower() in {"1", "true", "yes", "on"}
    try:
        return float(text)
    except ValueError:
        raise BadFault(f"{PREFIX}{name.upper()} is {text!r}, which is not a number.") from None
