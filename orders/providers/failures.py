"""The ways in which a call to a provider fails, one for each thing that may be done next."""

from dataclasses import dataclass, field


class ProviderError(Exception):
    """A call to a provider failed; the message names the provider and what it said."""


class Transient(ProviderError):
    """It may work later: overloaded, restarting, answered too late. `retry_after` seconds if it named a time.

    The work may be done although no answer came: try again with the same key, or ask first.
    """

    def __init__(self, message: str, retry_after: float | None = None) -> None:
        super().__init__(message)
        self.retry_after = retry_after


class NotNow(Transient):
    """The provider works, and only this order must wait: its key is in use, its mailbox is full, or it is too early to
    ask. It says nothing about other calls."""


class Refused(ProviderError):
    """The provider understood and will not do it, now or later: a bug of ours or bad data. A person must look."""


@dataclass(frozen=True, slots=True)
class Failure:
    """One order's failed step: what happened, and how often it has failed in a row, this time included."""

    order_id: int
    error: ProviderError
    attempt: int


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a step did with its batch: orders that go on in the chain, orders that failed and leave it, and orders that
    it had no time for, which are due again at once and have not failed."""

    done: list[int]
    failed: list[Failure]
    untried: list[int] = field(default_factory=list)
