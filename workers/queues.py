"""The queues: one for each kind of work, so that no payment waits behind a video or a campaign.

Which pool serves which queues is decided where it runs (docs/architecture.md has the table); a queue that grows gets
another node.
"""

from enum import StrEnum

from kombu import Queue


class QueueName(StrEnum):
    INVENTORY = "inventory"
    PAYMENT = "payment"
    EMAIL = "email"
    SMS = "sms"
    SHIPPING = "shipping"
    DOCUMENTS = "documents"
    MEDIA = "media"
    BULK = "bulk"
    AUDIT = "audit"


QUEUES = [Queue(name.value) for name in QueueName]

# The queues of orders: while so many batches wait in them, the relay lets orders gather.
ORDER_QUEUES = (QueueName.INVENTORY, QueueName.PAYMENT, QueueName.EMAIL, QueueName.SMS, QueueName.SHIPPING)
BATCHES_WAITING = 8
# Kombu's hash of the messages that a node has taken and not acknowledged (workers.adapters.unacked).
TAKEN = "unacked.{node}"
