"""Checks the payments that were there before against the constraint of 0019, without holding up new ones."""

from django.contrib.postgres.operations import ValidateConstraint
from django.db import migrations


class Migration(migrations.Migration):
    dependencies = [("orders", "0019_parcels_refused_and_redirected")]

    operations = [
        ValidateConstraint(model_name="payment", name="payment_outside_within_captured"),
    ]
