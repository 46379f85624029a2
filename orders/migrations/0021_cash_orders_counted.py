"""Indexes by which orders that nobody pays for are counted (orders.unpaid); built while the shop goes on."""

from django.contrib.postgres.operations import AddIndexConcurrently
from django.db import migrations, models


class Migration(migrations.Migration):
    atomic = False

    dependencies = [("orders", "0020_outside_checked")]

    operations = [
        AddIndexConcurrently(
            "order",
            models.Index(
                fields=["phone"], name="order_cash_by_phone", condition=models.Q(payment_method="cod")
            ),
        ),
        AddIndexConcurrently(
            "order",
            models.Index(
                fields=["postcode"], name="order_cash_by_postcode", condition=models.Q(payment_method="cod")
            ),
        ),
    ]
