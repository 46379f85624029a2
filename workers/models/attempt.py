"""An attempt that failed and will be repeated, with its time: a dead letter shows them, and so does `manage.py why`.

Written only when an attempt fails, so an order that goes well costs nothing. A step's own row counts its failures and
keeps the last; here are all of them.
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
