"""The status of the breakers, for people and programs."""

from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

from orders.models import Order
from orders.states import Provider
from workers.breakers.rules import State
from workers.models import Breaker


@dataclass(frozen=True, slots=True)
class BreakerStatus:
    """One provider's. `parked` counts the orders that wait for it; `parked_until` is their `due_at`, but they are woken
    as soon as the provider is back."""

    provider: Provider
    state: State
    since: datetime | None = None
    failures: int = 0
    failed_probes: int = 0
    next_probe_at: datetime | None = None
    parked: int = 0
    parked_until: datetime | None = None
    times_opened: int = 0
    last_error: str = ""

    @property
    def name(self) -> str:
        return str(self.provider.label)

    def as_dict(self) -> dict[str, Any]:
        """For JSON: plain values, times in ISO 8601."""
        return {
            key: value.isoformat() if isinstance(value, datetime) else value
            for key, value in asdict(self).items()
        }


# What the row says as it is.
_COLUMNS = (
    "since",
    "failures",
    "failed_probes",
    "next_probe_at",
    "parked_until",
    "times_opened",
    "last_error",
)


def statuses() -> list[BreakerStatus]:
    """All providers, those that never failed included."""
    known = {breaker.provider: breaker for breaker in Breaker.objects.all()}
    return [_of(provider, known.get(provider)) for provider in Provider]


def parked_for(due_at: datetime | None) -> BreakerStatus | None:
    """The breaker at which an order with this `due_at` is parked, if any."""
    breaker = Breaker.objects.filter(parked_until=due_at).first() if due_at else None
    return _of(Provider(breaker.provider), breaker) if breaker else None


def _of(provider: Provider, breaker: Breaker | None) -> BreakerStatus:
    if breaker is None:
        return BreakerStatus(provider, State.CLOSED)
    until = breaker.parked_until
    parked = Order.objects.filter(due_at=until).count() if until else 0
    same = {name: getattr(breaker, name) for name in _COLUMNS}
    return BreakerStatus(provider, State(breaker.state), parked=parked, **same)
