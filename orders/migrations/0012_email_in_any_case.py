"""Finds an order by its e-mail in whatever case it was typed. The new index takes the place of the old one."""

from django.contrib.postgres.operations import AddIndexConcurrently, RemoveIndexConcurrently
from django.db import migrations, models
from django.db.models.functions import Lower


class Migration(migrations.Migration):
    atomic = False  # indexes are made while people shop

    dependencies = [("orders", "0011_kinds_of_events")]

    operations = [
        AddIndexConcurrently("order", models.Index(Lower("email"), name="order_by_email_lower")),
        RemoveIndexConcurrently("order", "order_by_email"),
    ]
