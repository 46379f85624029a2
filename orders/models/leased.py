"""The columns of a row that is due and is worked on under a lease (orders.lease says how they move)."""

from django.db import models
from django.db.models.functions import Now


class Leased(models.Model):
    """A row with work to do.

    due_at          when somebody is to look at it; null when nothing is left to do. While somebody works on the row,
                    it is when the lease runs out
    attempts        how often the row was taken up since anybody last came back with an answer
    attempts_total  how often it was taken up in all
    failures        how often the work has failed in a row
    holder          the name that whoever works on it has drawn for this one attempt
    """

    due_at = models.DateTimeField(null=True, blank=True, db_default=Now())
    attempts = models.SmallIntegerField(db_default=0)
    attempts_total = models.IntegerField(db_default=0)
    failures = models.SmallIntegerField(db_default=0)
    holder = models.UUIDField(null=True, blank=True)

    class Meta:
        abstract = True
