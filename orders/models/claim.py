"""What a relay has claimed and not dispatched yet: a note written with the claim, and deleted when all of it is
dispatched.

A relay lives between the two for milliseconds. A note that stands for seconds is that of a relay that died there:
nobody knows of its orders, and without the note they would wait until their lease runs out and be suspects besides.
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
