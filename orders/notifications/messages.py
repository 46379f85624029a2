"""What the channels share: which message an order's state calls for, its row, and what became of it.

The row is committed before anything is sent, and its key goes with the message: a repeated step finds both.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import LiteralString
from uuid import UUID

from django.db import transaction

from orders import row_keys, sql
from orders.counting import count_failures
from orders.links import invoice_url, order_url
from orders.models import Notification
from orders.models.order import number_of
from orders.providers.failures import Outcome, ProviderError
from orders.states import WITHOUT_GOODS, Channel, OrderStatus
from orders.workflow import EMAIL, FULFILLABLE, SMS

Kind = Notification.Kind
RETURNED = "returned"
KIND_OF: dict[OrderStatus, Kind] = {
    OrderStatus.RESERVED: Kind.CONFIRMATION,  # cash on delivery
    OrderStatus.PAID: Kind.CONFIRMATION,
    OrderStatus.COMPLETED: Kind.CONFIRMATION,
    **{status: Kind(status.value) for status in WITHOUT_GOODS},
}

# Write the rows of the messages that the orders' states call for.
_BEGIN: LiteralString = sql.compose(
    """
WITH wanted AS (
    SELECT o.id, call.kind, $key AS key FROM orders_order o
    JOIN unnest(%(statuses)s::text[], %(kinds)s::text[]) AS call (status, kind) ON call.status = o.status
    WHERE o.id = ANY(%(ids)s) AND $fulfillable
)
INSERT INTO orders_notification (order_id, channel, kind, key)
SELECT id, %(channel)s, kind, key FROM wanted ORDER BY id
ON CONFLICT (order_id, channel, kind) DO NOTHING
""",
    fulfillable=FULFILLABLE,
    key=row_keys.of_message("%(channel)s::text", "call.kind"),
)
# Messages that are still to be sent, with the fields of Message. Of a refund that was found to be made in part already,
# what was sent now is the rest.
_OPEN: LiteralString = """
SELECT n.id, n.order_id, n.kind, n.key, o.token, o.email, o.phone, o.currency, o.total_minor,
       coalesce((SELECT r.amount_minor - r.found_minor %% r.amount_minor FROM orders_refund r
                 WHERE r.order_id = o.id AND r.whole ORDER BY r.id DESC LIMIT 1), o.total_minor),
       o.payment_method = 'cod'
FROM orders_notification n JOIN orders_order o ON o.id = n.order_id
WHERE n.order_id = ANY(%(ids)s) AND n.channel = %(channel)s AND n.status = 'requested' ORDER BY n.id
"""
# Write the provider's references.
_SENT: LiteralString = """
UPDATE orders_notification n SET status = 'sent', sent_at = clock_timestamp(), reference = step.reference, reason = ''
FROM unnest(%(ids)s::bigint[], %(references)s::text[]) AS step (id, reference)
WHERE n.id = step.id AND n.status = 'requested'
"""
# Stop trying: the order goes on without the message.
_GIVE_UP: LiteralString = """
UPDATE orders_notification SET status = 'failed'
WHERE order_id = %(order_id)s AND channel = %(channel)s AND status = 'requested'
"""


@dataclass(frozen=True, slots=True)
class Message:
    """A message to send, with what its text needs of the order. Amounts in minor units.

    Nothing that a buyer wrote is in any text: an order can name the address and phone of a stranger, and would make the
    shop carry whatever stood in the buyer's name to them, links included.

    `paid_at_the_door`: cash on delivery, of which no money goes back by us.
    """

    id: int
    order_id: int
    kind: Kind
    key: UUID
    token: str
    email: str
    phone: str
    currency: str
    total_minor: int
    refund_minor: int  # of the refund that ended the order: what was sent back now
    paid_at_the_door: bool = False

    @property
    def words(self) -> str:
        """What the texts of this message are called: "returned" for what came back and was to be paid at the door."""
        return RETURNED if self.kind == Kind.REFUNDED and self.paid_at_the_door else self.kind.value

    @property
    def order_number(self) -> str:
        return number_of(self.order_id)

    @property
    def order_url(self) -> str:
        return order_url(self.token)

    @property
    def invoice_url(self) -> str:
        return invoice_url(self.token)


def begin(ids: Collection[int], channel: Channel) -> list[Message]:
    """Write the rows of the messages that the orders' states call for; returns all that are still to be sent."""
    with transaction.atomic():
        sql.count(
            _BEGIN,
            {
                "ids": list(ids),
                "channel": channel.value,
                "statuses": [status.value for status in KIND_OF],
                "kinds": [kind.value for kind in KIND_OF.values()],
            },
        )
        found = sql.rows(_OPEN, {"ids": list(ids), "channel": channel.value})
    return [Message(row[0], row[1], Kind(row[2]), *row[3:]) for row in found]


def finish(
    ids: Collection[int],
    channel: Channel,
    messages: Collection[Message],
    sent: Mapping[int, str],
    errors: Mapping[int, ProviderError],
) -> Outcome:
    """Write the provider's reference or the error of each message, by its id; one in neither was not tried."""
    with transaction.atomic():
        if sent:
            sql.count(_SENT, {"ids": list(sent), "references": list(sent.values())})
        failed = count_failures(EMAIL if channel is Channel.EMAIL else SMS, errors)
    tried = sent.keys() | errors.keys()
    untried = [message.order_id for message in messages if message.id not in tried]
    stopped = {*untried, *(failure.order_id for failure in failed)}
    return Outcome([order_id for order_id in ids if order_id not in stopped], failed, untried)


def give_up(order_id: int, channel: Channel) -> int:
    """A message that cannot be sent must not hold up its order: mark it failed. Returns how many were open."""
    return sql.count(_GIVE_UP, {"order_id": order_id, "channel": channel.value})
