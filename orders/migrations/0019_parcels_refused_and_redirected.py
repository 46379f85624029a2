"""Parcels that the carrier refused, addresses that the desk corrected, and money given back past the provider. Columns with
constant defaults and a new table; 0020 checks the rows that were there."""

import django.db.models.deletion
from django.contrib.postgres.operations import AddConstraintNotValid
from django.db import migrations, models

# A row is written once, or twice (0016).
_VACUUM = {
    "autovacuum_vacuum_scale_factor": 0.01,
    "autovacuum_vacuum_threshold": 1000,
    "autovacuum_vacuum_insert_scale_factor": 0.02,
    "autovacuum_analyze_scale_factor": 0.02,
}


class Migration(migrations.Migration):
    dependencies = [("orders", "0018_open_customer_page_and_view_card_token")]

    operations = [
        migrations.CreateModel(
            name="Delivery",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("name", models.CharField(max_length=120)),
                ("line1", models.CharField(max_length=200)),
                ("line2", models.CharField(blank=True, max_length=200)),
                ("city", models.CharField(max_length=100)),
                ("postcode", models.CharField(blank=True, max_length=20)),
                ("country", models.CharField(help_text="ISO 3166-1 alpha-2.", max_length=2)),
                (
                    "order",
                    models.OneToOneField(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="delivery",
                        to="orders.order",
                    ),
                ),
            ],
        ),
        migrations.RunSQL(
            "ALTER TABLE orders_delivery SET ("
            + ", ".join(f"{name} = {value}" for name, value in _VACUUM.items())
            + ")",
            f"ALTER TABLE orders_delivery RESET ({', '.join(_VACUUM)})",
        ),
        migrations.AddField(
            "shipment",
            "refusals",
            models.SmallIntegerField(
                db_default=0,
                help_text="How often the carrier refused it; each try after one goes under a key of its own.",
            ),
        ),
        migrations.AlterField(
            "shipment",
            "status",
            models.CharField(
                choices=[
                    ("requested", "Being booked"),
                    ("booked", "Handed to the carrier"),
                    ("refused", "Refused by the carrier"),
                ],
                db_default="requested",
                max_length=10,
            ),
        ),
        migrations.AddField(
            "payment",
            "outside_minor",
            models.BigIntegerField(
                db_default=0,
                help_text="Given back another way, because the provider would not: by bank transfer, say.",
            ),
        ),
        AddConstraintNotValid(
            "payment",
            models.CheckConstraint(
                condition=models.Q(
                    outside_minor__gte=0,
                    outside_minor__lte=models.F("captured_minor") - models.F("refunded_minor"),
                ),
                name="payment_outside_within_captured",
            ),
        ),
    ]
