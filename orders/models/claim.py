"""Orders that a relay has claimed and not dispatched yet: a note written with the claim and deleted after the dispatch.

Between the two lie milliseconds. A note that is seconds old is that of a relay that died there. Without the note its
orders would wait until their lease runs out, and the attempt would count against them.
"""

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models.functions import Now


class Claim(models.Model):
    order_ids = ArrayField(models.BigIntegerField())
    lease_until = models.DateTimeField(
        help_text="What these orders' due_at was set to; others have moved on."
    )
    claimed_at = models.DateTimeField(db_default=Now())

    def __str__(self) -> str:
        return f"{len(self.order_ids)} orders, claimed {self.claimed_at:%H:%M:%S}"
