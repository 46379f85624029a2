"""Leaves the kinds of events to `orders.states.EventKind`, so that a new one needs no migration. Changes no table."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("orders", "0010_claims")]

    operations = [
        migrations.AlterField(model_name="orderevent", name="kind", field=models.CharField(max_length=32)),
    ]
