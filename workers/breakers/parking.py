"""What becomes of orders whose provider is away: they are parked. Those that have waited for longer than their policy
allows are given up, as after too many attempts, so that an e-mail never holds up its order for good."""

from collections.abc import Collection

from orders import scheduling
from orders.notifications import messages
from orders.providers.failures import ProviderError
from orders.workflow import STEPS, Step
from workers import deadletters
from workers.breakers import admission


class AwayTooLong(ProviderError):
    """The provider was away for as long as the order could wait."""


def park(step: Step, ids: Collection[int]) -> None:
    """Park these orders, whose next step is this one; nothing is counted."""
    spec = STEPS[step]
    if not ids or spec.provider is None:
        return
    since = scheduling.at_step_since(ids)
    late = [order_id for order_id in ids if spec.retry.is_too_late(since.get(order_id))]
    admission.park(spec.provider, set(ids) - set(late))
    if late:
        if spec.channel:
            # It was never begun: without a row it could not be marked as given up, and would be parked again.
            messages.begin(late, spec.channel)
        why = f"{spec.provider.label} away, and the order has waited for {spec.retry.deadline}"
        deadletters.bury(step, {order_id: AwayTooLong(why) for order_id in late})
