"""The order that took the place of a failed one. A table of its own: the orders are many and busy, and few have one."""

import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("orders", "0014_reversals")]

    operations = [
        migrations.CreateModel(
            name="Successor",
            fields=[
                (
                    "failed",
                    models.OneToOneField(
                        on_delete=django.db.models.deletion.PROTECT,
                        primary_key=True,
                        related_name="succession",
                        serialize=False,
                        to="orders.order",
                    ),
                ),
                (
                    "order",
                    models.OneToOneField(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="predecession",
                        to="orders.order",
                    ),
                ),
            ],
        ),
    ]
