"""Checks the payments that were there before against the constraint of 0003, without holding up new ones."""

from django.contrib.postgres.operations import ValidateConstraint
from django.db import migrations


class Migration(migrations.Migration):
    dependencies = [("orders", "0003_refunds_inbox_findings")]

    operations = [
        ValidateConstraint(model_name="payment", name="payment_promised_within_captured"),
    ]
