"""What a call to a provider can fail with, told apart by what may be done next."""

from dataclasses import dataclass, field


class ProviderError(Exception):
    """A call to a provider failed; the message names the provider and what it said."""


class Transient(ProviderError):
    """It may well work later: overloaded, restarting, answered too late. `retry_after` seconds if it named a time.

    The work may have been done although no answer came: whoever tries again uses the same key, or asks first.
    """

    def __init__(self, message: str, retry_after: float | None = None) -> None:
        super().__init__(message)
        self.retry_after = retry_after


class NotNow(Transient):
    """The provider is well, and it is this order that must wait: its key is in use, its mailbox is full, or we would
    be asking too early. It says nothing about anybody else's calls."""


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
    """What a step made of its batch: orders that go on in the chain, those that failed and leave it, and those it did
    not get to in time, which are looked at again at once and have lost nothing."""

    done: list[int]
    failed: list[Failure]
    untried: list[int] = field(default_factory=list)
