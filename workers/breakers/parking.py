"""What becomes of orders whose provider is away: they are parked, until they have waited for longer than their policy
has it; then they are given up as after too many tries, so that a side dish never holds up its meal for good."""

from collections.abc import Collection

from orders import scheduling
from orders.notifications import messages
from orders.providers.failures import ProviderError
from workers import breakers, deadletters
from workers.retry import policy_of
from workers.workflow import Step


class AwayTooLong(ProviderError):
    """Its provider was away for as long as the order could wait."""


def park(step: Step, ids: Collection[int]) -> None:
    """Park these orders, whose next step is this one, without counting anything."""
    if not ids:
        return
    provider, policy = breakers.PROVIDER_OF[step], policy_of(step.value)
    since = scheduling.standing_since(ids)
    late = [order_id for order_id in ids if policy.is_too_late(since.get(order_id))]
    breakers.park(provider, set(ids) - set(late))
    if late:
        if step in deadletters.SIDE_DISHES:
            # It was never begun: without its row it could not be marked as given up, and would be parked again.
            messages.begin(late, deadletters.SIDE_DISHES[step])
        why = f"{provider.label} away, and the order has waited for {policy.deadline}"
        deadletters.bury(step, {order_id: AwayTooLong(why) for order_id in late})
