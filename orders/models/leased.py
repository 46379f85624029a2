"""The columns of a row that is due and is worked on under a lease (orders.lease says how they move)."""

from django.db import models
from django.db.models.functions import Now


class Leased(models.Model):
    """A row with work to do.

    due_at          when a worker is to look at it; null when nothing is left to do. While one works on it, when the
                    lease runs out
    attempts        how often a worker took it since one last came back with an answer
    attempts_total  how often a worker took it in all
    failures        how often the work has failed in a row
    holder          the name that the worker has drawn for this one attempt
    """

    due_at = models.DateTimeField(null=True, blank=True, db_default=Now())
    attempts = models.SmallIntegerField(db_default=0)
    attempts_total = models.IntegerField(db_default=0)
    failures = models.SmallIntegerField(db_default=0)
    holder = models.UUIDField(null=True, blank=True)

    class Meta:
        abstract = True
