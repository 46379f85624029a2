"""Every customer is told once how the order ended, by e-mail and by text, or a dead letter says why not."""

from typing import LiteralString

from orders import sql
from orders.notifications.messages import KIND_OF
from orders.states import END_STATES
from orders.workflow import STEPS
from workers.audit.ledgers import MAILBOX, SMS
from workers.audit.rules import Check, Rule

# Keys under which a provider sent more than one message.
_TOLD_TWICE: LiteralString = """
SELECT min(order_id), 'was sent ' || count(*) || ' messages by ' || provider || ' under the key ' || key || '.'
FROM audit_ledger WHERE provider IN ('mailbox', 'sms') AND key <> ''
GROUP BY provider, key HAVING count(*) > 1 ORDER BY min(order_id)
"""
# Ended orders whose message is missing, or was given up without a dead letter.
_NOT_TOLD: LiteralString = """
SELECT o.id, 'is ' || o.status || ', but its ' || call.kind || ' ' || way.channel || ' is '
             || coalesce(n.status, 'missing') || CASE n.status WHEN 'failed' THEN ' without a dead letter.' ELSE '.' END
FROM orders_order o
JOIN unnest(%(statuses)s::text[], %(kinds)s::text[]) AS call (status, kind) ON call.status = o.status
CROSS JOIN unnest(%(channels)s::text[], %(tasks)s::text[]) AS way (channel, task)
LEFT JOIN orders_notification n ON n.order_id = o.id AND n.channel = way.channel AND n.kind = call.kind
WHERE (n.status IS NULL OR n.status = 'requested' OR n.status = 'failed' AND NOT EXISTS (
           SELECT FROM workers_deadletter buried WHERE buried.order_id = o.id AND buried.task = way.task)) AND $settled
ORDER BY o.id
"""
# Messages sent by our books that the provider never had.
_NOT_DELIVERED: LiteralString = """
SELECT n.order_id, 'was sent its ' || n.kind || ' $message, say our books, but the $place never had it.'
FROM orders_notification n
WHERE n.channel = '$channel' AND n.status = 'sent' AND NOT EXISTS (
    SELECT FROM audit_ledger l WHERE l.provider = '$provider' AND l.row_key = n.key AND l.order_id = n.order_id)
ORDER BY n.order_id
"""
_MAIL = sql.compose(_NOT_DELIVERED, message="e-mail", channel="email", provider="mailbox", place="mailbox")
_TEXT = sql.compose(_NOT_DELIVERED, message="text", channel="sms", provider="sms", place="SMS gateway")

CHECK = Check(
    name="notifications",
    noun="messages",
    counts="SELECT count(*) FROM orders_notification",
    rules=(
        Rule(_TOLD_TWICE, (MAILBOX, SMS), apart=True),
        Rule(_NOT_TOLD),
        Rule(_MAIL, (MAILBOX,)),
        Rule(_TEXT, (SMS,)),
    ),
    remedy="Replay these orders' dead letters from the admin; what was sent before is not sent again.",
    params={
        "statuses": [status.value for status in KIND_OF if status in END_STATES],
        "kinds": [kind.value for status, kind in KIND_OF.items() if status in END_STATES],
        "channels": [spec.channel.value for spec in STEPS.values() if spec.channel],
        "tasks": [step.value for step, spec in STEPS.items() if spec.channel],
    },
)
