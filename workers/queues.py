"""The queues: one a kind of work, so that a video or a campaign never stands in front of a payment.

Which pool serves which queues is for whoever runs the house (docs/architecture.md has the table of the laptop and of
the servers); a queue that grows gets another node.
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

# Those that an order passes through: while so many batches wait in them, the relay lets orders gather.
ORDER_QUEUES = (QueueName.INVENTORY, QueueName.PAYMENT, QueueName.EMAIL, QueueName.SMS, QueueName.SHIPPING)
BATCHES_WAITING = 8
# Kombu's hash of the messages that a node has taken and not acknowledged (workers.adapters.unacked).
TAKEN = "unacked.{node}"
