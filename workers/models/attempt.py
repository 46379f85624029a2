"""A try that failed and will be repeated, with its time: a dead letter's attempts are read from here.

Written when a try fails, and by nobody else, so an order on its way costs nothing. A step's own row counts its
failures and knows the last; this is the whole story, for the person who opens the letter and for `manage.py why`.
"""

from django.db import models
from django.db.models.functions import Now

from orders.models import Order


class FailedAttempt(models.Model):
    order = models.ForeignKey(Order, on_delete=models.PROTECT, related_name="+", db_index=False)
    task = models.CharField(max_length=60)
    at = models.DateTimeField(db_default=Now())
    error_class = models.CharField(max_length=200)
    message = models.CharField(max_length=300, blank=True)

    class Meta:
        ordering = ["id"]
        indexes = [models.Index(name="failed_attempt_by_order", fields=["order", "task", "id"])]

    def __str__(self) -> str:
        return f"{self.task}: {self.error_class}"
