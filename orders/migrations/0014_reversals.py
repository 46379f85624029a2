"""Refunds made by hand at the provider and disputes in our books, and findings that a person closed. Only a new table, and columns
that are empty or have a default, so nothing is rewritten and nothing waits."""

import django.db.models.deletion
import django.db.models.functions.datetime
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("orders", "0013_stock_said_by_files"),
    ]

    operations = [
        migrations.AddField(
            model_name="finding",
            name="closed_by",
            field=models.CharField(
                blank=True, db_default="", help_text="Who closed it by hand.", max_length=150
            ),
        ),
        migrations.AddField(
            model_name="payment",
            name="reported_at",
            field=models.DateTimeField(
                blank=True,
                help_text="Since when the provider's refunds and disputes of it wait to be looked at.",
                null=True,
            ),
        ),
        migrations.AddField(
            model_name="refund",
            name="found_minor",
            field=models.BigIntegerField(
                db_default=0,
                help_text="How much of it was found to be given back already, and is not paid again.",
            ),
        ),
        migrations.AlterField(
            model_name="finding",
            name="kind",
            field=models.CharField(
                choices=[
                    ("unknown_charge", "Captured without an order"),
                    ("second_charge", "Captured beside the order's own charge"),
                    ("capture_missing", "In our books, not at the provider"),
                    ("amount_differs", "Captured another amount"),
                    ("refund_missing", "Refund missing at the provider"),
                    ("refund_unknown", "Refund that our books do not have"),
                    ("disputed", "Disputed, and its order waits for a person"),
                    ("charge_held", "The provider holds money of an order that has ended without"),
                ],
                max_length=20,
            ),
        ),
        migrations.CreateModel(
            name="Reversal",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                (
                    "kind",
                    models.CharField(
                        choices=[("refund", "Refunded by hand"), ("dispute", "Disputed")], max_length=10
                    ),
                ),
                (
                    "reference",
                    models.CharField(
                        help_text="The provider's own id of the refund or dispute.", max_length=255
                    ),
                ),
                ("amount_minor", models.BigIntegerField()),
                (
                    "status",
                    models.CharField(
                        choices=[
                            ("asked", "The bank asks about it"),
                            ("open", "The bank holds the money"),
                            ("won", "The money is ours again"),
                            ("given_back", "Given back"),
                        ],
                        max_length=10,
                    ),
                ),
                ("seen_at", models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
                ("changed_at", models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
                (
                    "order",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="reversals",
                        to="orders.order",
                    ),
                ),
                (
                    "refund",
                    models.ForeignKey(
                        blank=True,
                        db_index=False,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="reversals",
                        to="orders.refund",
                    ),
                ),
            ],
            options={
                "ordering": ["-id"],
                "indexes": [
                    models.Index(fields=["order", "id"], name="reversal_by_order"),
                    models.Index(fields=["refund"], name="reversal_by_refund"),
                    models.Index(
                        condition=models.Q(("status__in", ["asked", "open"])),
                        fields=["order"],
                        name="reversal_undecided",
                    ),
                ],
                "constraints": [
                    models.UniqueConstraint(fields=("reference",), name="reversal_once"),
                    models.CheckConstraint(
                        condition=models.Q(("amount_minor__gt", 0)), name="reversal_amount_positive"
                    ),
                ],
            },
        ),
    ]
